# mmdet's Deformable DETR, small, nothing of mmpixcon in it: the baseline, and the
# config that stock mmdet tests our checkpoints with.
_base_ = [
    '../_base_/models/deformable-detr_r18.py',
    '../_base_/datasets/scenes.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(bbox_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=dict(filter_cfg=dict(filter_empty_gt=False)))
