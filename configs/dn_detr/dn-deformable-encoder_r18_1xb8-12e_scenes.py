# The small DN-Deformable-DETR, deformable encoder only.
_base_ = [
    '../_base_/models/dn-deformable-encoder_r18.py',
    '../_base_/datasets/scenes.py',
    '../_base_/mmpixcon_runtime.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(bbox_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(
    dataset=dict(type='mmpixcon.RobustCocoDataset', filter_cfg=dict(filter_empty_gt=False))
)
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
