# The small Conditional DETR on BCCD.
# --cfg-options load_from=CHECKPOINT names one of a small pretraining.
_base_ = [
    '../_base_/models/conditional-detr_r18.py',
    '../_base_/datasets/bccd.py',
    '../_base_/schedules/finetune_detr.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(backbone=_base_.small_backbone, bbox_head=dict(num_classes=_base_.num_classes))
optim_wrapper = _base_.small_detr_optim_wrapper
