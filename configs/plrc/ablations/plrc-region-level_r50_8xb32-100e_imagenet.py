# Region-level contrast: regions of the same grid pooled into one vector each, no distillation.
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
model = dict(
    sampler=dict(_delete_=True, type='mmpixcon.PooledRegions', resolution=64, num_regions=16),
    alpha=1.0,
)
