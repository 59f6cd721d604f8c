# mmdet's Faster R-CNN, small, on an EfficientNet-Lite0 from ImageNet: the baseline.
_base_ = [
    '../_base_/models/faster-rcnn_lite0_fpn.py',
    '../_base_/datasets/bccd.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=_base_.num_classes)))
custom_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)
