# PixCon on the small Faster R-CNN: data and sizes, the rest is the full config's.
_base_ = [
    'pixcon_faster-rcnn_r50_fpn_4xb4-1x_coco.py',
    '../_base_/datasets/bccd.py',
    '../_base_/sizes/faster-rcnn_r18.py',
]
# The small images' level of about as many cells as the full config's: stride 8.
model = dict(detector=_base_.small_detector, levels=(1,))
model['detector'].roi_head.bbox_head.num_classes = _base_.small_num_classes

train_dataloader = _base_.small_views_dataloader
val_dataloader = test_dataloader = _base_.small_val_dataloader
val_evaluator = test_evaluator = _base_.small_evaluator
dataset_name = _base_.small_dataset_name

optim_wrapper = _base_.small_optim_wrapper
train_cfg = _base_.small_train_cfg
param_scheduler = _base_.small_param_scheduler
auto_scale_lr = _base_.small_auto_scale_lr
