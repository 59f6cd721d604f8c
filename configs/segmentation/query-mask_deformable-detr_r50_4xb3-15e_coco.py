# Masks from the frozen weights of a trained Deformable DETR: the paper's head
# and loss, 15 epochs, 12 images on 4 GPUs. load_from names the detector:
#   --cfg-options load_from=CHECKPOINT
_base_ = [
    'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    '../_base_/mmpixcon_runtime.py',
    '../_base_/query_mask.py',
]
dataset_name = 'COCO'

model = dict(_delete_=True, **_base_.query_mask_model, detector=_base_.model)
# All weights come from load_from.
model['detector'].backbone.init_cfg = None

train_pipeline = [_base_.train_pipeline[0], _base_.query_mask_load, *_base_.train_pipeline[2:]]
train_dataloader = dict(
    batch_size=3, dataset=dict(type='mmpixcon.RobustCocoDataset', pipeline=train_pipeline)
)
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
val_evaluator = test_evaluator = _base_.query_mask_evaluator

custom_hooks = [_base_.query_mask_hook, *_base_.custom_hooks]
max_epochs = 15
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [dict(**_base_.query_mask_steps, end=max_epochs, milestones=[10])]

# 4 GPUs x 3 images
auto_scale_lr = dict(base_batch_size=12)
