# The small Faster R-CNN on BCCD, 200 iterations from an EfficientNet-Lite0 that was pretrained
# further: --cfg-options model.backbone.init_cfg.checkpoint=PATH names the weights.
_base_ = ['faster-rcnn_r18_fpn_1xb4-200i_bccd.py', '../_base_/models/lite0.py']
weights = _base_.model.backbone.init_cfg
model = dict(
    _base_.lite0_faster_rcnn,
    backbone=dict(_base_.lite0_faster_rcnn.backbone, init_cfg=weights),
)
optim_wrapper = dict(paramwise_cfg=_base_.lite0_paramwise)
