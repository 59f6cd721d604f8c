# What the small deformable detectors share: a ResNet-18 with levels of strides 16, 32 and 64,
# few queries, and what learning from scratch needs: live batch norm, one learning rate.
# Pieces, named small_*.
small_detector = dict(
    num_queries=50,
    num_feature_levels=3,
    backbone=dict(
        depth=18,
        base_channels=48,
        out_indices=(2, 3),
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[192, 384], num_outs=3),
    encoder=dict(
        num_layers=1,
        layer_cfg=dict(
            self_attn_cfg=dict(num_levels=3, num_points=2),
            ffn_cfg=dict(feedforward_channels=512),
        ),
    ),
    decoder=dict(
        num_layers=2,
        layer_cfg=dict(
            cross_attn_cfg=dict(num_levels=3, num_points=2),
            ffn_cfg=dict(feedforward_channels=512),
        ),
    ),
    bbox_head=dict(),
    test_cfg=dict(max_per_img=50),
)
small_optim_wrapper = dict(
    optimizer=dict(lr=4e-4), paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=1.0)})
)
