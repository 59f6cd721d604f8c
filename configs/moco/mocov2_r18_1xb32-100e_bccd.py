# The small MoCo v2: data and sizes, the rest is the full config's.
_base_ = [
    'mocov2_r50_8xb32-200e_imagenet.py',
    '../_base_/datasets/unlabelled_bccd.py',
    '../_base_/sizes/pretrain_r18.py',
]
model = dict(
    backbone=dict(_base_.small_backbone, out_indices=(3,)),
    neck=dict(in_channels=256, hid_channels=256),
    queue_len=_base_.small_queue_len,
    momentum=_base_.small_momentum,
)

pipeline = _base_.mocov2_pipeline
for view in pipeline[1].views:
    view[0].scale = _base_.small_view
    view[1:] = _base_.small_color
_base_.small_train_dataloader.dataset.pipeline = pipeline

train_dataloader = _base_.small_train_dataloader
optim_wrapper = _base_.small_optim_wrapper
train_cfg = _base_.small_train_cfg
param_scheduler = _base_.small_param_scheduler
auto_scale_lr = _base_.small_auto_scale_lr
