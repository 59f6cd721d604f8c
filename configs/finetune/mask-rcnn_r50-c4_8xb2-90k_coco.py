# Mask R-CNN R50-C4 on COCO, 90k iterations (1x), all layers of the backbone learn, extra
# norm: the fine-tuning of MoCo and of DetCo.
_base_ = [
    'mmselfsup::benchmarks/mmdetection/coco/mask-rcnn_r50-c4_ms-1x_coco.py',
    '../_base_/schedules/finetune.py',
]
dataset_name = 'COCO'
# --cfg-options model.backbone.init_cfg.checkpoint=PATH names the pretrained weights.
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.'))
)

train_dataloader = _base_.finetune_loader
optim_wrapper = _base_.finetune_optim_wrapper
train_cfg = _base_.finetune_90k.train_cfg
param_scheduler = _base_.finetune_90k.param_scheduler
default_hooks = _base_.finetune_default_hooks
log_processor = _base_.finetune_log_processor
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
