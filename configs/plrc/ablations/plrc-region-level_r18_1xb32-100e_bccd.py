# Region-level contrast: regions of a 4 x 4 grid pooled into one vector each, no distillation.
_base_ = '../plrc_r18_1xb32-100e_bccd.py'
model = dict(
    sampler=dict(_delete_=True, type='mmpixcon.PooledRegions', resolution=64, num_regions=16),
    alpha=1.0,
)
