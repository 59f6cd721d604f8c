# The small DN-DETR.
_base_ = [
    '../_base_/models/dn-detr_r18.py',
    '../_base_/datasets/scenes.py',
    '../_base_/mmpixcon_runtime.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(bbox_head=dict(num_classes=_base_.num_classes))
train_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
