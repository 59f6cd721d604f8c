# Point-level contrast alone: positives by their distance, as PixPro's; no regions, no
# distillation.
_base_ = '../plrc_r18_1xb32-100e_bccd.py'
model = dict(
    sampler=dict(_delete_=True, type='mmpixcon.NearbyPoints', resolution=64, num_points=128),
    alpha=1.0,
)
