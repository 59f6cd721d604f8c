# Siamese DETR on ImageNet: single-scale Deformable DETR, stride 32 only (tables 1 and 2).
_base_ = 'siamese-detr_deformable-detr_r50_32xb8-60e_imagenet.py'
model = dict(
    detector=dict(
        num_feature_levels=1,
        backbone=dict(out_indices=(3,)),
        neck=dict(in_channels=[2048], num_outs=1),
        encoder=dict(layer_cfg=dict(self_attn_cfg=dict(num_levels=1))),
        decoder=dict(layer_cfg=dict(cross_attn_cfg=dict(num_levels=1))),
    )
)
