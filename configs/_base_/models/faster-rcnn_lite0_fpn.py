# The small Faster R-CNN on an EfficientNet-Lite0 from ImageNet.
_base_ = ['faster-rcnn_r18_fpn.py', 'lite0.py']
model = dict(
    data_preprocessor=_base_.lite0_pixels,
    backbone=dict(_base_.lite0_finetuned, out_indices=(2, 3, 4, 5)),
    neck=dict(in_channels=[24, 40, 112, 320]),
)
optim_wrapper = dict(paramwise_cfg=_base_.lite0_paramwise)
