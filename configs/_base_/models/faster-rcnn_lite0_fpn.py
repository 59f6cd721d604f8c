# The small Faster R-CNN on an EfficientNet-Lite0 from ImageNet.
_base_ = ['faster-rcnn_r18_fpn.py', 'lite0.py']
model = _base_.lite0_faster_rcnn
optim_wrapper = dict(paramwise_cfg=_base_.lite0_paramwise)
