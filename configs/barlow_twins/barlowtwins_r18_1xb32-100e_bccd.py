# The small Barlow Twins.
_base_ = [
    '../_base_/models/barlowtwins_r18.py',
    '../_base_/datasets/unlabelled_bccd.py',
    '../_base_/views/byol.py',
]
view = [dict(_base_.byol_crop, scale=_base_.view_size), *_base_.stain_color]
views = [view, view]
pipeline = [_base_.read_image, dict(_base_.contrast_views, views=views), _base_.pack_views]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
optim_wrapper = _base_.adam_wrapper
custom_hooks = [*_base_.custom_hooks, dict(type='mmpixcon.EmbeddingMonitorHook', module='head')]
