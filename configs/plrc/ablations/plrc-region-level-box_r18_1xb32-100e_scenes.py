# Region-level contrast: annotated boxes pooled into one vector each, no distillation.
_base_ = '../plrc_r18_1xb32-100e_scenes.py'
model = dict(
    sampler=dict(_delete_=True, type='mmpixcon.PooledRegions', resolution=64, num_regions=16),
    alpha=1.0,
)
pipeline = [
    _base_.read_image,
    _base_.load_boxes,
    dict(type='mmpixcon.BoxRegions'),
    _base_.contrast_views,
    _base_.pack_views,
]
train_dataloader = dict(dataset=dict(_base_.annotated_dataset, pipeline=pipeline))
