# DetCo-AA: RandAugment (arXiv:1909.13719) after the crop of the global views, two of mmdet's
# transforms at a time, which record their homographies.
_base_ = 'detco_r50_8xb32-200e_imagenet.py'
view = [_base_.mocov2_crop, dict(type='mmdet.RandAugment', aug_num=2), *_base_.mocov2_color]
jigsaw = _base_.detco_jigsaw
views = dict(_base_.contrast_views, views=[view, view, jigsaw, jigsaw])
train_dataloader = dict(dataset=dict(pipeline=[_base_.read_image, views, _base_.pack_views]))
