# The small Deformable DETR on an EfficientNet-Lite0 from ImageNet.
_base_ = ['deformable-detr_r18.py', 'lite0.py']
model = _base_.lite0_deformable_detr
optim_wrapper = dict(paramwise_cfg=_base_.lite0_paramwise)
