# What the small detectors with an FPN share: a ResNet-18 of 64 channels a level, and what
# learning from scratch needs: live batch norm, Adam. Pieces, named small_*.
small_detector = dict(
    backbone=dict(
        depth=18,
        base_channels=32,
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64),
)
small_optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=4e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=10.0, norm_type=2),
)
