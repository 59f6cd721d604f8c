# The small Faster R-CNN on the built-in scenes, 200 iterations from a pretrained backbone:
# to compare pretraining methods on a laptop.
# --cfg-options model.backbone.init_cfg.checkpoint=PATH names the weights;
# model.backbone.init_cfg=None starts from random ones.
_base_ = ['../stock/faster-rcnn_r18_fpn_1xb8-12e_scenes.py', '../_base_/schedules/finetune.py']
model = dict(
    backbone=dict(
        init_cfg=dict(
            _delete_=True, type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.'
        )
    )
)

train_dataloader = dict(_base_.finetune_loader, batch_size=4)
train_cfg = _base_.finetune_200.train_cfg
param_scheduler = _base_.finetune_200.param_scheduler
default_hooks = _base_.finetune_200.default_hooks
log_processor = _base_.finetune_log_processor
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
