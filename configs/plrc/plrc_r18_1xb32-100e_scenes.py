# The small PLRC: data and sizes, the rest is the full config's.
_base_ = [
    'plrc_r50_8xb32-200e_imagenet.py',
    '../_base_/datasets/unlabelled_scenes.py',
    '../_base_/datasets/annotated_scenes.py',
    '../_base_/sizes/pretrain_r18.py',
]
model = dict(
    # Stride 16, a map of 6 x 6: at 32 its cells would be as large as the regions.
    backbone=dict(_base_.small_backbone, out_indices=(3,), strides=(1, 2, 2, 1)),
    neck=dict(in_channels=256, hid_channels=256),
    queue_len=_base_.small_queue_len,
    momentum=_base_.small_momentum,
    # On a laptop, 16 would take longer than the backbone does.
    sampler=dict(num_points=8),
    # The share of the paper's 200 epochs.
    warmup_epochs=15,
)

plrc_pipeline = _base_.plrc_pipeline
for view in plrc_pipeline[2].views:
    view[0].scale = _base_.small_view
_base_.small_train_dataloader.dataset.pipeline = plrc_pipeline

train_dataloader = _base_.small_train_dataloader
optim_wrapper = _base_.small_optim_wrapper
train_cfg = _base_.small_train_cfg
param_scheduler = _base_.small_param_scheduler
auto_scale_lr = _base_.small_auto_scale_lr
dataset_name = _base_.small_dataset_name
# Needs no training: do points of an object look alike?
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmpixcon.AffinityPrecisionHook', images=_base_.small_annotated, interval=25),
]
