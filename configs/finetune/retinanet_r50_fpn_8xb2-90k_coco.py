# RetinaNet R50-FPN on COCO, 90k iterations, all layers of the backbone learn, norm in
# backbone and FPN (DetCo, appendix A.4).
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../_base_/schedules/finetune.py',
]
dataset_name = 'COCO'
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
)

train_dataloader = _base_.finetune_loader
optim_wrapper = _base_.finetune_optim_wrapper
train_cfg = _base_.finetune_90k.train_cfg
param_scheduler = _base_.finetune_90k.param_scheduler
default_hooks = _base_.finetune_default_hooks
log_processor = _base_.finetune_log_processor
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
