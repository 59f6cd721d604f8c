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
train_dataloader.dataset.pipeline = [
    _base_.small_train_pipeline[0],
    _base_.load_with_masks,
    *_base_.small_train_pipeline[2:],
]
val_dataloader = _base_.small_val_dataloader
test_dataloader = _base_.small_val_dataloader
val_evaluator = _base_.small_evaluator
test_evaluator = _base_.small_evaluator

optim_wrapper = _base_.small_optim_wrapper
max_epochs = 6
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='MultiStepLR', begin=0, end=max_epochs, by_epoch=True, milestones=[5], gamma=0.1),
]
auto_scale_lr = _base_.small_auto_scale_lr
