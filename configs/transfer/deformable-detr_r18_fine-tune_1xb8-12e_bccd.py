# Fine-tuning on BCCD: --cfg-options load_from=CHECKPOINT of the small Deformable
# DETR trained on the built-in scenes, with PixCon or without.
_base_ = [
    '../_base_/models/deformable-detr_r18.py',
    '../_base_/datasets/bccd.py',
    '../_base_/transfer/fine_tune.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(bbox_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=dict(filter_cfg=dict(filter_empty_gt=False)))
custom_imports = _base_.transfer_imports
train_cfg = _base_.transfer_train_cfg
param_scheduler = _base_.transfer_param_scheduler
custom_hooks = _base_.transfer_hooks
