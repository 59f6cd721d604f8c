# PixCon on the small RetinaNet.
_base_ = [
    '../_base_/models/retinanet_r18_fpn.py',
    '../_base_/datasets/scenes.py',
    '../_base_/pixcon.py',
    'mmdet::_base_/default_runtime.py',
]
# The small images' finest level, stride 8, of about as many cells as the full config's P5.
model = dict(
    _base_.pixcon_model,
    _delete_=True,
    detector=_base_.model,
    levels=(0,),
    predictor=_base_.pixcon_predictor,
)
model['detector'].bbox_head.num_classes = _base_.num_classes
pipeline = [_base_.load_image, _base_.load_annotations, _base_.views]
train_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset', pipeline=pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
