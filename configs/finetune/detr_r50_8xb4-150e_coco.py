# DETR on COCO, from a checkpoint of Siamese DETR, UP-DETR or DETReg: table 1 of Siamese DETR.
_base_ = ['mmdet::detr/detr_r50_8xb2-150e_coco.py', '../_base_/schedules/finetune_detr.py']
dataset_name = 'COCO'
model = _base_.detr_model
train_dataloader = _base_.detr_loader
optim_wrapper = _base_.detr_optim_wrapper
train_cfg = _base_.detr_150e.train_cfg
param_scheduler = _base_.detr_150e.param_scheduler
custom_imports = _base_.detr_imports
custom_hooks = _base_.detr_hooks
auto_scale_lr = _base_.detr_auto_scale_lr
