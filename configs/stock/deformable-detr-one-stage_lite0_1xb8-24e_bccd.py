# mmdet's Deformable DETR, small and in one stage, on an EfficientNet-Lite0 from ImageNet: the
# baseline.
_base_ = [
    '../_base_/models/deformable-detr-one-stage_lite0.py',
    '../_base_/datasets/bccd.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(bbox_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=dict(filter_cfg=dict(filter_empty_gt=False)))
custom_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)
