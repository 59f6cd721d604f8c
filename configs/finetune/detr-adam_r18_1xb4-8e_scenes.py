# The small DETR on the built-in scenes by the recipe of "Self-supervised learning for Object
# Detection", section 2: Adam, one rate for all parts, no clipping, half the epochs at 1e-4, half at
# 5e-5. It finds nothing, as in the paper: see README.md.
# --cfg-options model.backbone.init_cfg.checkpoint=PATH names the pretrained weights;
# model.backbone.init_cfg=None starts from random ones.
_base_ = [
    '../stock/detr_r18_1xb8-12e_scenes.py',
    '../_base_/views/detection_byol.py',
    '../_base_/schedules/finetune.py',
]
model = dict(
    # As in pretraining.
    data_preprocessor=_base_.detection_data_preprocessor,
    backbone=dict(
        init_cfg=dict(
            _delete_=True, type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.'
        ),
    ),
)
train_dataloader = dict(batch_size=4)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
max_epochs = 8
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=max_epochs, milestones=[4], gamma=0.5),
]
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
auto_scale_lr = dict(base_batch_size=4)
