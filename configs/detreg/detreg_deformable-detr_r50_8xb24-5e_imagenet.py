# DETReg on ImageNet by the schedule of its release, whose checkpoint tables 1 and 2 of Siamese DETR
# start from: multi-scale Deformable DETR, 5 epochs at 2e-4.
_base_ = 'detreg_deformable-detr_r50_32xb8-60e_imagenet.py'
train_dataloader = dict(batch_size=24)
optim_wrapper = dict(
    optimizer=dict(lr=2e-4),
    paramwise_cfg=dict(
        custom_keys=dict(
            sampling_offsets=dict(lr_mult=0.1),
            reference_points=dict(lr_mult=0.1),
        )
    ),
)
train_cfg = dict(max_epochs=5)
# It would fall after 40 epochs.
param_scheduler = [dict(type='ConstantLR', by_epoch=True, begin=0, end=5, factor=1.0)]
# 8 GPUs x 24 images
auto_scale_lr = dict(base_batch_size=192)
