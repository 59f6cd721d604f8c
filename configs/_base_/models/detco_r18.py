# DetCo for a laptop, on the backbone of the small Faster R-CNN. Fewer keys than photos; few
# steps, so the average must follow sooner.
model = dict(
    type='mmpixcon.DetCo',
    data_preprocessor=dict(
        bgr_to_rgb=False, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=18,
        base_channels=32,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        out_indices=(0, 1, 2, 3),
        style='pytorch',
    ),
    head=dict(
        type='mmpixcon.MultiLevelContrastHead',
        queue_len=192,
        hidden_channels=256,
        in_channels=[32, 64, 128, 256],
        num_patches=9,
        out_channels=128,
        temperatures=dict(gg=0.2, gl=0.5, ll=0.2),
        weights=(0.1, 0.4, 0.7, 1.0),
    ),
    momentum=0.99,
)
