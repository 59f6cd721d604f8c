# The small VICReg on household photos from the weights of ImageNet, on an EfficientNet-Lite0.
_base_ = ['vicreg_r18_1xb32-10e_household.py', '../_base_/models/lite0.py']
model = dict(
    data_preprocessor=_base_.lite0_pixels,
    backbone=dict(_base_.lite0_backbone, out_indices=(5,)),
    neck=dict(in_channels=320),
)
