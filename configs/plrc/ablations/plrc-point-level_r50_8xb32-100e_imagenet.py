# Point-level contrast alone: positives by their distance, as PixPro's; no regions, no
# distillation.
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
model = dict(
    sampler=dict(_delete_=True, type='mmpixcon.NearbyPoints', resolution=64, num_points=256),
    alpha=1.0,
)
