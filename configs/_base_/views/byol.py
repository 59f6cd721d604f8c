# Views of BYOL (arXiv:2006.07733, table 6), which Barlow Twins (arXiv:2103.03230) and VICReg
# (arXiv:2105.04906) took over: one always blurred, the other seldom, but solarized at times.
# For pretraining that a detector goes on from ("Self-supervised learning for Object Detection",
# section 2): crops of 40 to 100 % of the image in the place of 8 to 100 %, so that a crop keeps
# what the image shows, and the pixels' own mean and deviation.
byol_crop = dict(
    type='mmpixcon.RandomResizedCrop',
    scale=224,
    crop_ratio_range=(0.4, 1.0),
    flip_prob=0.5,
    interpolation='bicubic',
    backend='torch',
)
byol_color = [
    dict(type='mmpixcon.ColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1),
    dict(type='mmpixcon.RandomGrayscale', prob=0.2),
]
byol_color1 = [
    *byol_color,
    dict(type='mmpixcon.RandomGaussianBlur', sigma=(0.1, 2.0), prob=1.0),
]
byol_color2 = [
    *byol_color,
    dict(type='mmpixcon.RandomGaussianBlur', sigma=(0.1, 2.0), prob=0.1),
    dict(type='mmpixcon.RandomSolarize', threshold=128, prob=0.2),
]

read_image = dict(type='LoadImageFromFile')
contrast_views = dict(
    type='mmpixcon.ContrastViews',
    views=[[byol_crop, *byol_color1], [byol_crop, *byol_color2]],
)
pack_views = dict(type='mmpixcon.PackViews')
# Of the paper's 512,000 images: (0.49, 0.468, 0.414) and (0.286, 0.278, 0.297) of 255. For others:
# tools/dataset_converters/measure_normalization.py.
detection_data_preprocessor = dict(
    mean=(124.95, 119.34, 105.57), std=(72.93, 70.89, 75.735), bgr_to_rgb=True
)
