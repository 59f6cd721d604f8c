# Masks on the small Deformable DETR: data, sizes and epochs, the rest is the full config's.
_base_ = [
    'query-mask_deformable-detr_r50_4xb3-15e_coco.py',
    '../_base_/datasets/scenes.py',
    '../_base_/sizes/deformable-detr_r18.py',
]
# The small images' finest level, stride 16: at 32 they have 5 x 4 cells.
model = dict(detector=_base_.small_detector, memory_level=0)
model['detector'].bbox_head.num_classes = _base_.small_num_classes

train_dataloader = _base_.small_train_dataloader
train_dataloader.dataset.pipeline[1] = _base_.query_mask_load
val_dataloader = test_dataloader = _base_.small_val_dataloader
val_evaluator = test_evaluator = _base_.small_evaluator
dataset_name = _base_.small_dataset_name

optim_wrapper = _base_.small_optim_wrapper
max_epochs = 6
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
steps = dict(**_base_.query_mask_steps, end=max_epochs, milestones=[5])
param_scheduler = [_base_.small_warm_up, steps]
auto_scale_lr = _base_.small_auto_scale_lr
