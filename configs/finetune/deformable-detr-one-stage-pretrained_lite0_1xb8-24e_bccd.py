# The small one-stage Deformable DETR with an EfficientNet-Lite0 on BCCD.
# --cfg-options load_from=CHECKPOINT names one of a small pretraining.
_base_ = [
    '../_base_/models/deformable-detr-one-stage_lite0.py',
    '../_base_/datasets/bccd.py',
    '../_base_/schedules/finetune_detr.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(
    # The checkpoint has a backbone, which stays in the state that the pretraining had it in: all
    # of batch norm is that of ImageNet, the rate is a tenth.
    backbone=dict(init_cfg=None, norm_cfg=dict(type='BN', requires_grad=False, eps=1e-3)),
    bbox_head=dict(num_classes=_base_.num_classes),
)
train_dataloader = dict(dataset=dict(filter_cfg=dict(filter_empty_gt=False)))
