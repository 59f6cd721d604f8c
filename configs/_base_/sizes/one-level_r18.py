# What the small detectors with one level share: a ResNet-18 of stride 16, few queries, and
# what learning from scratch needs: live batch norm, one learning rate. Pieces, named small_*.
small_detector = dict(
    num_queries=40,
    backbone=dict(
        depth=18,
        # Stride 16, as DC5: small images have small maps.
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        base_channels=32,
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[256]),
    encoder=dict(num_layers=2, layer_cfg=dict(ffn_cfg=dict(feedforward_channels=512))),
    decoder=dict(num_layers=3, layer_cfg=dict(ffn_cfg=dict(feedforward_channels=512))),
    bbox_head=dict(),
    # Not more than num_queries x num_classes: mmdet takes the top of all scores.
    test_cfg=dict(max_per_img=40),
)
small_optim_wrapper = dict(
    optimizer=dict(lr=4e-4), paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=1.0)})
)
