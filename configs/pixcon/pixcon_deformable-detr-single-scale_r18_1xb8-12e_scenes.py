# PixCon on the small single-scale Deformable DETR: data and sizes, the rest is the full config's.
_base_ = [
    'pixcon_deformable-detr-single-scale_r50_4xb3-50e_coco.py',
    '../_base_/datasets/scenes.py',
    '../_base_/sizes/deformable-detr_r18.py',
]
# The small sizes on one level, stride 32.
model = dict(detector=_base_.small_detector, S=4.0)
model['detector'].update(num_feature_levels=1, as_two_stage=False, with_box_refine=False)
model['detector'].backbone.out_indices = (3,)
model['detector'].neck.update(in_channels=[384], num_outs=1)
model['detector'].encoder.layer_cfg.self_attn_cfg.num_levels = 1
model['detector'].decoder.layer_cfg.cross_attn_cfg.num_levels = 1
model['detector'].bbox_head.num_classes = _base_.small_num_classes

train_dataloader = _base_.small_views_dataloader
val_dataloader = test_dataloader = _base_.small_val_dataloader
val_evaluator = test_evaluator = _base_.small_evaluator
dataset_name = _base_.small_dataset_name

optim_wrapper = _base_.small_optim_wrapper
train_cfg = _base_.small_train_cfg
param_scheduler = _base_.small_param_scheduler
auto_scale_lr = _base_.small_auto_scale_lr
