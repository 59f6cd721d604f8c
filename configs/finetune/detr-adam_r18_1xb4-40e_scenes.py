# The small DETR on the built-in scenes by the recipe of "Self-supervised learning for Object
# Detection", section 2. It finds next to nothing, as in the paper: see README.md.
# --cfg-options model.backbone.init_cfg.checkpoint=PATH names the pretrained weights;
# load_from=PATH model.backbone.init_cfg=None those of a whole DETR, pretrained by UP-DETR.
_base_ = [
    '../_base_/models/detr_r18.py',
    '../_base_/datasets/scenes.py',
    '../_base_/views/byol.py',
    '../_base_/schedules/finetune.py',
    'mmdet::_base_/default_runtime.py',
]
# Pixels as in pretraining.
model = dict(
    data_preprocessor=_base_.detection_data_preprocessor,
    backbone=_base_.finetune_adam_backbone,
    bbox_head=dict(num_classes=_base_.num_classes),
)
train_dataloader = dict(batch_size=4)
optim_wrapper = _base_.finetune_adam.optim_wrapper
train_cfg = _base_.finetune_adam.train_cfg
param_scheduler = _base_.finetune_adam.param_scheduler
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
auto_scale_lr = dict(base_batch_size=4)
