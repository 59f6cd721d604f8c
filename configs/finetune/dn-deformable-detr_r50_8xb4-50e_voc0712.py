# DN-Deformable-DETR with one pattern and 300 queries on VOC 07+12, as its own paper trains it:
# table 6 of Siamese DETR, "DN-DETR".
_base_ = [
    '../dn_detr/dn-deformable-detr_r50_4xb3-50e_coco.py',
    '../_base_/datasets/voc0712.py',
    '../_base_/schedules/finetune_detr.py',
]
model = dict(
    **_base_.detr_model, num_patterns=0, bbox_head=dict(num_classes=_base_.voc_num_classes)
)
train_dataloader = dict(_base_.detr_loader, dataset=_base_.voc_train_data)
val_dataloader = test_dataloader = dict(dataset=_base_.voc_val_data)
val_evaluator = test_evaluator = _base_.voc_evaluator
dataset_name = _base_.voc_dataset_name
custom_imports = _base_.detr_imports
custom_hooks = _base_.detr_hooks
auto_scale_lr = _base_.detr_auto_scale_lr
