# Region-level contrast: regions of a 2 x 2 grid pooled into one vector each, no distillation.
_base_ = '../plrc_r18_1xb32-100e_scenes.py'
model = dict(
    sampler=dict(_delete_=True, type='mmpixcon.PooledRegions', resolution=64, num_regions=16),
    alpha=1.0,
)
regions = dict(type='mmpixcon.GridRegions', n=2)
pipeline = [_base_.read_image, regions, _base_.contrast_views, _base_.pack_views]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
