# Deformable DETR on COCO, four levels, from a checkpoint of Siamese DETR, UP-DETR or DETReg:
# table 1 of Siamese DETR. Rates and epochs are mmdet's.
_base_ = [
    'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    '../_base_/schedules/finetune_detr.py',
]
dataset_name = 'COCO'
model = _base_.detr_model
train_dataloader = _base_.detr_loader
custom_imports = _base_.detr_imports
custom_hooks = _base_.detr_hooks
auto_scale_lr = _base_.detr_auto_scale_lr
