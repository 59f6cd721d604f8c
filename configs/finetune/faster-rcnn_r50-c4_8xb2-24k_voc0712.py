# Faster R-CNN R50-C4 on VOC 07+12, 24k iterations, COCO-style AP on VOC 07 test beside the
# AP50 of VOC: the fine-tuning of MoCo and of DetCo.
_base_ = [
    'mmselfsup::benchmarks/mmdetection/voc0712/faster-rcnn_r50-c4_ms-24k_voc0712.py',
    '../_base_/schedules/finetune.py',
]
# --cfg-options model.backbone.init_cfg.checkpoint=PATH names the pretrained weights.
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.'))
)

train_dataloader = _base_.finetune_loader
train_cfg = _base_.finetune_24k.train_cfg
param_scheduler = _base_.finetune_24k.param_scheduler
default_hooks = _base_.finetune_default_hooks
log_processor = _base_.finetune_log_processor
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
