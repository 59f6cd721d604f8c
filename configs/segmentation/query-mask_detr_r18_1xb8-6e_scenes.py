# Masks on the small DETR.
_base_ = [
    '../_base_/models/detr_r18.py',
    '../_base_/datasets/scenes.py',
    '../_base_/query_mask.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(_delete_=True, **_base_.query_mask_model, detector=_base_.model)
model['detector'].bbox_head.num_classes = _base_.num_classes
pipeline = [_base_.load_image, _base_.query_mask_load, *_base_.augment]
train_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset', pipeline=pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
val_evaluator = test_evaluator = _base_.query_mask_evaluator
train_cfg = dict(max_epochs=6, val_interval=6)
param_scheduler = [_base_.warm_up, dict(**_base_.query_mask_steps, end=6, milestones=[5])]
