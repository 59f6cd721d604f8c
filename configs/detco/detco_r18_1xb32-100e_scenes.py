# The small DetCo: global views of 96, patches of 28 out of a jigsaw of 114, the proportions of the
# paper.
_base_ = [
    '../_base_/models/detco_r18.py',
    '../_base_/datasets/unlabelled_scenes.py',
    '../_base_/views/detco.py',
]
view = [dict(_base_.mocov2_crop, scale=_base_.view_size), *_base_.mocov2_color]
crop = dict(_base_.detco_crop, scale=114)
jigsaw = dict(_base_.detco_jigsaw, crop=crop, patch=28, transforms=_base_.mocov2_color)
views = dict(_base_.contrast_views, views=[view, view, jigsaw, jigsaw])
pipeline = [_base_.read_image, views, _base_.pack_views]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
