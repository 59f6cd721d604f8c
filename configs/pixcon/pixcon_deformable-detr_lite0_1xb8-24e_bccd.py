# PixCon on the small Deformable DETR with an EfficientNet-Lite0 from ImageNet.
_base_ = [
    '../_base_/models/deformable-detr_lite0.py',
    '../_base_/datasets/bccd.py',
    '../_base_/pixcon.py',
    'mmdet::_base_/default_runtime.py',
]
# A choice, not measured: the level of about as many cells as the full config's, stride 16.
model = dict(_base_.pixcon_model, _delete_=True, detector=_base_.model, levels=(0,))
model['detector'].bbox_head.num_classes = _base_.num_classes
pipeline = [_base_.load_image, _base_.load_annotations, _base_.views]
train_dataloader = dict(
    dataset=dict(
        type='mmpixcon.RobustCocoDataset', pipeline=pipeline, filter_cfg=dict(filter_empty_gt=False)
    )
)
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
