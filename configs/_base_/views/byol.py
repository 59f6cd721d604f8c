# Views of BYOL (arXiv:2006.07733, table 6), which Barlow Twins (arXiv:2103.03230) and VICReg
# (arXiv:2105.04906) took over: one always blurred, the other seldom, but solarized at times.
byol_crop = dict(
    type='mmpixcon.RandomResizedCrop',
    scale=224,
    crop_ratio_range=(0.08, 1.0),
    flip_prob=0.5,
    interpolation='bicubic',
    backend='torch',
)
byol_color = [
    dict(type='mmpixcon.ColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1),
    dict(type='mmpixcon.RandomGrayscale', prob=0.2),
]
byol_view1 = [
    byol_crop,
    *byol_color,
    dict(type='mmpixcon.RandomGaussianBlur', sigma=(0.1, 2.0), prob=1.0),
]
byol_view2 = [
    byol_crop,
    *byol_color,
    dict(type='mmpixcon.RandomGaussianBlur', sigma=(0.1, 2.0), prob=0.1),
    dict(type='mmpixcon.RandomSolarize', threshold=128, prob=0.2),
]
byol_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmpixcon.ContrastViews', views=[byol_view1, byol_view2]),
    dict(type='mmpixcon.PackViews'),
]
