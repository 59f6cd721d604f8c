# mmdet's DETR, small, nothing of mmpixcon in it: the baseline, and the
# config that stock mmdet tests our checkpoints with.
_base_ = [
    '../_base_/models/detr_r18.py',
    '../_base_/datasets/bccd.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(bbox_head=dict(num_classes=_base_.num_classes))
