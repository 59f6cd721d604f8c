# Mask R-CNN R50-FPN on LVIS v1, 180k iterations (DetCo's appendix, table IV).
_base_ = [
    'mmdet::lvis/mask-rcnn_r50_fpn_sample1e-3_ms-1x_lvis-v1.py',
    '../_base_/schedules/finetune.py',
]
dataset_name = 'LVIS v1'
# --cfg-options model.backbone.init_cfg.checkpoint=PATH names the pretrained weights.
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    backbone=dict(
        frozen_stages=-1,
        norm_cfg=norm_cfg,
        norm_eval=False,
        init_cfg=dict(type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.'),
    ),
    neck=dict(norm_cfg=norm_cfg),
    roi_head=dict(
        bbox_head=dict(type='Shared4Conv1FCBBoxHead', norm_cfg=norm_cfg),
        mask_head=dict(norm_cfg=norm_cfg),
    ),
)

train_dataloader = _base_.finetune_loader
optim_wrapper = _base_.finetune_optim_wrapper
train_cfg = _base_.finetune_180k.train_cfg
param_scheduler = _base_.finetune_180k.param_scheduler
default_hooks = _base_.finetune_default_hooks
log_processor = _base_.finetune_log_processor
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
