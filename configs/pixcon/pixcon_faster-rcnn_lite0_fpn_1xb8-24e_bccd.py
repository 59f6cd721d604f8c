# PixCon on the small Faster R-CNN with an EfficientNet-Lite0 from ImageNet.
_base_ = ['pixcon_faster-rcnn_r18_fpn_1xb8-24e_bccd.py', '../_base_/models/lite0.py']
model = dict(detector=_base_.lite0_faster_rcnn)
optim_wrapper = dict(paramwise_cfg=_base_.lite0_paramwise)
