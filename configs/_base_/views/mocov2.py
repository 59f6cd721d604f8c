# Views of MoCo v2 (arXiv:2003.04297) and SimSiam (arXiv:2011.10566), which are the same.
mocov2_crop = dict(
    type='mmpixcon.RandomResizedCrop',
    scale=224,
    crop_ratio_range=(0.2, 1.0),
    flip_prob=0.5,
    backend='torch',
)
mocov2_color = [
    dict(type='mmpixcon.ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    dict(type='mmpixcon.RandomGrayscale', prob=0.2),
    dict(type='mmpixcon.RandomGaussianBlur', sigma=(0.1, 2.0), prob=0.5),
]
mocov2_view = [mocov2_crop, *mocov2_color]

read_image = dict(type='LoadImageFromFile')
contrast_views = dict(type='mmpixcon.ContrastViews', views=[mocov2_view, mocov2_view])
pack_views = dict(type='mmpixcon.PackViews')
