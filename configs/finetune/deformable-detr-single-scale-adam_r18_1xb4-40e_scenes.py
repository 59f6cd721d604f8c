# The small DETR of detr-adam_r18_1xb4-40e_scenes.py with one change that makes it learn:
# deformable attention, over the same cells, in as many layers, for as many queries (and the focal
# loss and normalized input projection that it comes with). See README.md.
# --cfg-options model.backbone.init_cfg.checkpoint=PATH names the pretrained weights;
# load_from=PATH model.backbone.init_cfg=None those of a whole one, pretrained by UP-DETR.
_base_ = [
    '../_base_/models/deformable-detr-single-scale_r18.py',
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
train_dataloader = dict(batch_size=4, dataset=dict(filter_cfg=dict(filter_empty_gt=False)))
optim_wrapper = _base_.finetune_adam.optim_wrapper
train_cfg = _base_.finetune_adam.train_cfg
param_scheduler = _base_.finetune_adam.param_scheduler
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
auto_scale_lr = dict(base_batch_size=4)
