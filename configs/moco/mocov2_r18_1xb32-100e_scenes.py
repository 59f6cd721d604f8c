# The small MoCo v2.
_base_ = [
    '../_base_/models/mocov2_r18.py',
    '../_base_/datasets/unlabelled_scenes.py',
    '../_base_/views/mocov2.py',
]
view = [dict(_base_.mocov2_crop, scale=_base_.view_size), *_base_.mocov2_color]
views = dict(_base_.contrast_views, views=[view, view])
pipeline = [_base_.read_image, views, _base_.pack_views]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
