# PLRC for a laptop: the small MoCo v2 with a map of stride 16, 6 x 6: at 32 its cells would be as
# large as the regions. 8 points a region, since 16 would take longer than the backbone does, and
# the share of the paper's 200 epochs to warm up.
model = dict(
    type='mmpixcon.PLRC',
    data_preprocessor=dict(
        bgr_to_rgb=True, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=18,
        base_channels=32,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        out_indices=(3,),
        strides=(1, 2, 2, 1),
        style='pytorch',
    ),
    neck=dict(
        type='MoCoV2Neck', hid_channels=256, in_channels=256, out_channels=128, with_avg_pool=True
    ),
    loss=dict(type='mmpixcon.InfoNCELoss', temperature=0.2),
    queue_len=192,
    momentum=0.99,
    affinity_loss=dict(
        type='mmpixcon.PointAffinityLoss',
        strategy=1,
        student_temperature=0.1,
        teacher_temperature=0.07,
    ),
    alpha=0.5,
    beta=0.7,
    negatives='batch',
    point_loss=dict(type='mmpixcon.PointRegionContrastLoss', temperature=0.1),
    sampler=dict(type='mmpixcon.RegionPoints', num_points=8, num_regions=16, resolution=64),
    warmup_epochs=15,
)
