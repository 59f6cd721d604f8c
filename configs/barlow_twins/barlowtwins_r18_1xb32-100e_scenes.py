# The small Barlow Twins: data and sizes, the rest is the full config's.
_base_ = [
    'barlowtwins_r50_8xb256-150e_imagenet.py',
    '../_base_/datasets/unlabelled_scenes.py',
    '../_base_/sizes/pretrain_r18.py',
    '../_base_/sizes/projector_r18.py',
]
model = dict(
    backbone=dict(_base_.small_backbone, out_indices=(3,)),
    neck=_base_.small_projector,
)

pipeline = _base_.detection_byol_pipeline
for view in pipeline[1].views:
    view[0].scale = _base_.small_view
_base_.small_train_dataloader.dataset.pipeline = pipeline

train_dataloader = _base_.small_train_dataloader
optim_wrapper = _base_.small_adam_wrapper
train_cfg = _base_.small_train_cfg
param_scheduler = _base_.small_param_scheduler
auto_scale_lr = _base_.small_auto_scale_lr
