# PixCon on the small Deformable DETR with an EfficientNet-Lite0 from ImageNet.
_base_ = ['pixcon_deformable-detr_r18_1xb8-24e_bccd.py', '../_base_/models/lite0.py']
model = dict(detector=_base_.lite0_deformable_detr)
optim_wrapper = dict(paramwise_cfg=_base_.lite0_paramwise)
