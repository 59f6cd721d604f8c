# Views of DetCo (arXiv:2102.04803): two global ones, MoCo v2's, and two local ones, each nine
# patches of a jigsaw with MoCo v2's color.
_base_ = 'mocov2.py'

# PIRL's (arXiv:1912.01991) share of the image.
detco_crop = dict(scale=255, crop_ratio_range=(0.6, 1.0), flip_prob=0.5, backend='torch')
detco_jigsaw = dict(
    type='mmpixcon.JigsawView',
    crop=detco_crop,
    grid=3,
    patch=64,
    transforms=_base_.mocov2_color,
)
contrast_views = dict(views=[*[_base_.mocov2_view] * 2, *[detco_jigsaw] * 2])
# Patches are RGB when they are packed: the model's preprocessor leaves them so.
pack_views = dict(to_rgb=True)
