# The small Faster R-CNN on BCCD, 200 iterations from an EfficientNet-Lite0 that was pretrained
# further: --cfg-options model.backbone.init_cfg.checkpoint=PATH names the weights.
_base_ = ['../stock/faster-rcnn_lite0_fpn_1xb8-24e_bccd.py', '../_base_/schedules/finetune.py']
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
