# Faster R-CNN R50-FPN with Adam, 20 epochs at 1e-4 and 20 at 5e-5, from Barlow Twins or VICReg
# ("Self-supervised learning for Object Detection", section 2): one run, so it resumes across
# the change. All layers of the backbone learn.
_base_ = [
    'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    '../_base_/views/detection_byol.py',
    '../_base_/schedules/finetune.py',
]
dataset_name = 'COCO'
# --cfg-options model.backbone.init_cfg.checkpoint=PATH names the pretrained weights.
model = dict(
    # As in pretraining.
    data_preprocessor=_base_.detection_data_preprocessor,
    backbone=dict(
        frozen_stages=-1,
        norm_eval=False,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        init_cfg=dict(type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.'),
    ),
)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='Adam', lr=1e-4))
max_epochs = 40
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=max_epochs, milestones=[20], gamma=0.5),
]
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
