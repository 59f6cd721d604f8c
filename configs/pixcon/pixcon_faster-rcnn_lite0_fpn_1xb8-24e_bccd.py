# PixCon on the small Faster R-CNN with an EfficientNet-Lite0 from ImageNet.
_base_ = [
    '../_base_/models/faster-rcnn_lite0_fpn.py',
    '../_base_/datasets/bccd.py',
    '../_base_/pixcon.py',
    'mmdet::_base_/default_runtime.py',
]
# A choice, not measured: the level of about as many cells as the full config's, stride 8.
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
