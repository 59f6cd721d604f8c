# PixCon on the small Faster R-CNN.
_base_ = [
    '../_base_/models/faster-rcnn_r18_fpn.py',
    '../_base_/datasets/scenes.py',
    '../_base_/pixcon.py',
    'mmdet::_base_/default_runtime.py',
]
# Stride 8, a level of about as many cells as the full config's; stride 32 makes no measurable
# difference (docs/results.md, PixCon).
model = dict(
    _base_.pixcon_model,
    _delete_=True,
    detector=_base_.model,
    levels=(1,),
    predictor=_base_.pixcon_predictor,
)
model['detector'].roi_head.bbox_head.num_classes = _base_.num_classes
pipeline = [_base_.load_image, _base_.load_annotations, _base_.views]
train_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset', pipeline=pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
