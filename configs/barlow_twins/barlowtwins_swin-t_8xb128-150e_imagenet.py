# Barlow Twins with Swin-T, mmdet's. AdamW, as Swin is trained: the paper does not say.
_base_ = 'barlowtwins_r50_8xb256-150e_imagenet.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmdet.SwinTransformer',
        embed_dims=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        out_indices=(3,),
        convert_weights=False,
    ),
    neck=dict(in_channels=768),
)
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=1.0),
)
# 8 GPUs x 128 images
auto_scale_lr = dict(base_batch_size=1024)
