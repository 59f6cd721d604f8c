# PixCon on the small DETR: data and sizes, the rest is the full config's.
_base_ = [
    'pixcon_detr_r50_4xb3-150e_coco.py',
    '../_base_/datasets/scenes.py',
    '../_base_/sizes/detr_r18.py',
]
# Few cells lie far apart: a wider threshold, so that anchors have positives.
model = dict(detector=_base_.small_detector, S=4.0)
model['detector'].bbox_head.num_classes = _base_.small_num_classes

train_dataloader = _base_.small_views_dataloader
val_dataloader = test_dataloader = _base_.small_val_dataloader
val_evaluator = test_evaluator = _base_.small_evaluator
dataset_name = _base_.small_dataset_name

optim_wrapper = _base_.small_optim_wrapper
train_cfg = _base_.small_train_cfg
param_scheduler = _base_.small_param_scheduler
auto_scale_lr = _base_.small_auto_scale_lr
