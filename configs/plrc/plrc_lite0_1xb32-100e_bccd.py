# The small PLRC from the weights of ImageNet, on an EfficientNet-Lite0.
_base_ = ['plrc_r18_1xb32-100e_bccd.py', '../_base_/models/lite0.py']
model = dict(
    data_preprocessor=_base_.lite0_pixels,
    # A map of stride 16, as that of the small ResNet.
    backbone=dict(_base_.lite0_backbone, out_indices=(5,), strides=(2, 1, 2, 2, 2, 1)),
    neck=dict(in_channels=320),
)
