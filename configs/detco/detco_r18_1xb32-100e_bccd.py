# The small DetCo: data and sizes, the rest is the full config's.
_base_ = [
    'detco_r50_8xb32-200e_imagenet.py',
    '../_base_/datasets/unlabelled_bccd.py',
    '../_base_/sizes/pretrain_r18.py',
]
model = dict(
    backbone=_base_.small_backbone,
    head=dict(
        in_channels=[32, 64, 128, 256],
        hidden_channels=256,
        queue_len=_base_.small_queue_len,
    ),
    momentum=_base_.small_momentum,
)

# Global views of 96, patches of 28 out of a jigsaw of 114: the proportions of the paper.
pipeline = _base_.detco_pipeline
for view in pipeline[1].views[:2]:
    view[0].scale = _base_.small_view
    view[1:] = _base_.small_color
for view in pipeline[1].views[2:]:
    view.crop.scale = 114
    view.patch = 28
    view.transforms = _base_.small_color
_base_.small_train_dataloader.dataset.pipeline = pipeline

train_dataloader = _base_.small_train_dataloader
optim_wrapper = _base_.small_optim_wrapper
train_cfg = _base_.small_train_cfg
param_scheduler = _base_.small_param_scheduler
auto_scale_lr = _base_.small_auto_scale_lr
