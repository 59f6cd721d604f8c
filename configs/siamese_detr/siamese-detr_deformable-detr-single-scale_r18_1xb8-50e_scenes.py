# Siamese DETR on the small single-scale Deformable DETR: data and sizes; the rest is the full
# config's.
_base_ = [
    'siamese-detr_deformable-detr-single-scale_r50_32xb8-60e_imagenet.py',
    '../_base_/datasets/regions_scenes.py',
    '../_base_/sizes/deformable-detr-single-scale_r18.py',
    '../_base_/sizes/pretrain_detr.py',
]
model = dict(detector=_base_.small_detector)
model['detector'].neck.in_channels = [256]
model['detector'].backbone.update(
    base_channels=_base_.small_region_channels, init_cfg=_base_.small_region_backbone
)

train_dataloader = _base_.small_train_dataloader
train_dataloader['dataset'].pipeline = _base_.region_siamese_pipeline
train_dataloader['dataset'].pipeline[1].scales = _base_.small_scales
train_dataloader['dataset'].pipeline[3].source.path = _base_.small_edge_boxes
train_dataloader['dataset'].pipeline[4].size = _base_.small_crop

optim_wrapper = _base_.small_region_optim_wrapper
custom_hooks = _base_.region_hooks
train_cfg = _base_.small_region_train_cfg
param_scheduler = _base_.small_region_param_scheduler
auto_scale_lr = _base_.small_region_auto_scale_lr
