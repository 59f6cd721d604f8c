# The small Barlow Twins.
_base_ = [
    '../_base_/models/barlowtwins_r18.py',
    '../_base_/datasets/unlabelled_scenes.py',
    '../_base_/views/byol.py',
]
crop = dict(_base_.byol_crop, scale=_base_.view_size)
views = [[crop, *_base_.byol_color1], [crop, *_base_.byol_color2]]
pipeline = [_base_.read_image, dict(_base_.contrast_views, views=views), _base_.pack_views]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
optim_wrapper = _base_.adam_wrapper
custom_hooks = [*_base_.custom_hooks, dict(type='mmpixcon.EmbeddingMonitorHook', module='head')]
