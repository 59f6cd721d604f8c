# mmdet's Faster R-CNN, small, nothing of mmpixcon in it: the baseline, and the
# config that stock mmdet tests our checkpoints with.
_base_ = [
    '../_base_/models/faster-rcnn_r18_fpn.py',
    '../_base_/datasets/scenes.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=_base_.num_classes)))
