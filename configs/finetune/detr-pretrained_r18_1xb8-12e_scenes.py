# The small DETR on the built-in scenes. Data and sizes, the rest is the full config's.
# --cfg-options load_from=CHECKPOINT names one of a small pretraining.
_base_ = [
    'detr_r50_8xb4-150e_coco.py',
    '../_base_/datasets/scenes.py',
    '../_base_/sizes/detr_r18.py',
]
model = _base_.small_detector
model.bbox_head.num_classes = _base_.small_num_classes

train_dataloader = _base_.small_train_dataloader
val_dataloader = test_dataloader = _base_.small_val_dataloader
val_evaluator = test_evaluator = _base_.small_evaluator
dataset_name = _base_.small_dataset_name

optim_wrapper = _base_.small_optim_wrapper
train_cfg = _base_.small_train_cfg
param_scheduler = _base_.small_param_scheduler
auto_scale_lr = _base_.small_auto_scale_lr
