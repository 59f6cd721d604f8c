# The small PLRC.
_base_ = [
    '../_base_/models/plrc_r18.py',
    '../_base_/datasets/unlabelled_bccd.py',
    '../_base_/views/mocov2.py',
]
view = [dict(_base_.mocov2_crop, scale=_base_.view_size), *_base_.stain_color]
contrast_views = dict(_base_.contrast_views, views=[view, view])
regions = dict(type='mmpixcon.GridRegions', n=4)
pipeline = [_base_.read_image, regions, contrast_views, _base_.pack_views]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
custom_hooks = [
    *_base_.custom_hooks,
    # Tells the model the epoch, for warmup_epochs.
    dict(type='mmdet.SetEpochInfoHook'),
]
