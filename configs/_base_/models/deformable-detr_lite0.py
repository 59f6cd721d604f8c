# The small Deformable DETR on an EfficientNet-Lite0 from ImageNet.
_base_ = ['deformable-detr_r18.py', 'lite0.py']
model = dict(
    data_preprocessor=_base_.lite0_pixels,
    backbone=dict(_base_.lite0_finetuned, out_indices=(4, 5)),
    neck=dict(in_channels=[112, 320]),
)
optim_wrapper = dict(paramwise_cfg=_base_.lite0_paramwise)
