# Region-level contrast: annotated masks pooled into one vector each, no distillation.
_base_ = 'plrc-mask_r50_8xb32-400e_coco.py'
model = dict(
    sampler=dict(_delete_=True, type='mmpixcon.PooledRegions', resolution=64, num_regions=16),
    alpha=1.0,
)
