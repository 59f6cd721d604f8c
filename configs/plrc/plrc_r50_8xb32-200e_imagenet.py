# PLRC on ImageNet, 200 epochs: MoCo v2, and contrast of points of a 4 x 4 grid's regions.
_base_ = '../moco/mocov2_r50_8xb32-200e_imagenet.py'

model = dict(
    type='mmpixcon.PLRC',
    sampler=dict(type='mmpixcon.RegionPoints', resolution=64, num_regions=16, num_points=16),
    point_loss=dict(type='mmpixcon.PointRegionContrastLoss', temperature=0.1),
    affinity_loss=dict(
        type='mmpixcon.PointAffinityLoss',
        strategy=1,
        teacher_temperature=0.07,
        student_temperature=0.1,
    ),
    alpha=0.5,
    beta=0.7,
    warmup_epochs=30,
    negatives='batch',
)

regions = dict(type='mmpixcon.GridRegions', n=4)
pipeline = [_base_.read_image, regions, _base_.contrast_views, _base_.pack_views]
train_dataloader = dict(dataset=dict(pipeline=pipeline))

# Tells the model the epoch, for warmup_epochs.
custom_hooks = [*_base_.custom_hooks, dict(type='mmdet.SetEpochInfoHook')]
