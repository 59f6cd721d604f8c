# Masks on the small Deformable DETR.
_base_ = [
    '../_base_/models/deformable-detr_r18.py',
    '../_base_/datasets/scenes.py',
    '../_base_/query_mask.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(_delete_=True, **_base_.query_mask_model, detector=_base_.model)
model['detector'].bbox_head.num_classes = _base_.num_classes
# The small images' finest level, stride 16: at 32 they have 5 x 4 cells.
model['memory_level'] = 0
pipeline = [_base_.load_image, _base_.query_mask_load, *_base_.augment]
train_dataloader = dict(
    dataset=dict(
        type='mmpixcon.RobustCocoDataset', pipeline=pipeline, filter_cfg=dict(filter_empty_gt=False)
    )
)
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
val_evaluator = test_evaluator = _base_.query_mask_evaluator
train_cfg = dict(max_epochs=6, val_interval=6)
param_scheduler = [_base_.warm_up, dict(**_base_.query_mask_steps, end=6, milestones=[5])]
