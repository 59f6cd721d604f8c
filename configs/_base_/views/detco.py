# Views of DetCo (arXiv:2102.04803): two global ones, MoCo v2's, and two local ones, each nine
# patches of a jigsaw with MoCo v2's color.
_base_ = ['./mocov2.py']

detco_local_view = dict(
    type='mmpixcon.JigsawView',
    # PIRL's (arXiv:1912.01991) share of the image.
    crop=dict(scale=255, crop_ratio_range=(0.6, 1.0), flip_prob=0.5, backend='torch'),
    grid=3,
    patch=64,
    transforms=_base_.mocov2_color,
)
detco_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='mmpixcon.ContrastViews',
        views=[_base_.mocov2_view, _base_.mocov2_view, detco_local_view, detco_local_view],
    ),
    dict(type='mmpixcon.PackViews', to_rgb=True),
]
# Patches are RGB when they are packed: the preprocessor of mmselfsup's MoCo v2 leaves them so.
detco_data_preprocessor = dict(bgr_to_rgb=False)

# DetCo-AA: RandAugment (arXiv:1909.13719) after the crop of the global views, two of mmdet's
# transforms at a time, which record their homographies.
detco_aa_view = [
    _base_.mocov2_view[0],
    dict(type='mmdet.RandAugment', aug_num=2),
    *_base_.mocov2_color,
]
detco_aa_pipeline = [
    detco_pipeline[0],
    dict(
        type='mmpixcon.ContrastViews',
        views=[detco_aa_view, detco_aa_view, detco_local_view, detco_local_view],
    ),
    detco_pipeline[2],
]
