# The small DETR of detr-adam_r18_1xb4-40e_scenes.py with one change that makes it learn:
# deformable attention, over the same cells, in as many layers, for as many queries (and the focal
# loss and normalised input projection that it comes with). See README.md.
# --cfg-options model.backbone.init_cfg.checkpoint=PATH names the pretrained weights;
# load_from=PATH model.backbone.init_cfg=None those of a whole one, pretrained by UP-DETR.
_base_ = [
    'deformable-detr-single-scale_r50_8xb4-50e_coco.py',
    '../_base_/datasets/scenes.py',
    '../_base_/sizes/deformable-detr-single-scale_r18.py',
    '../_base_/views/detection_byol.py',
    '../_base_/schedules/finetune.py',
]
model = _base_.small_detector
model.bbox_head.num_classes = _base_.small_num_classes
# Pixels as in pretraining.
model.data_preprocessor = _base_.detection_data_preprocessor
model.backbone.init_cfg = _base_.finetune_adam_backbone.init_cfg

train_dataloader = _base_.small_train_dataloader
train_dataloader.batch_size = 4
val_dataloader = test_dataloader = _base_.small_val_dataloader
val_evaluator = test_evaluator = _base_.small_evaluator
dataset_name = _base_.small_dataset_name
optim_wrapper = _base_.finetune_adam.optim_wrapper
train_cfg = _base_.finetune_adam.train_cfg
param_scheduler = _base_.finetune_adam.param_scheduler
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
auto_scale_lr = dict(base_batch_size=4)
