# The small two-stage Deformable DETR on BCCD.
# --cfg-options load_from=CHECKPOINT names one of a small pretraining.
_base_ = [
    '../_base_/models/deformable-detr_r18.py',
    '../_base_/datasets/bccd.py',
    '../_base_/schedules/finetune_detr.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(
    # The backbone of the small pretraining configs.
    backbone=dict(base_channels=32, **_base_.small_backbone),
    neck=dict(in_channels=[128, 256]),
    bbox_head=dict(num_classes=_base_.num_classes),
)
train_dataloader = dict(dataset=dict(filter_cfg=dict(filter_empty_gt=False)))
optim_wrapper = _base_.small_deformable_optim_wrapper
