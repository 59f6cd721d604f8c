# DN-Deformable-DETR with 300 queries on VOC 07+12, as its own paper trains it:
# table 6 of Siamese DETR, "DN-DETR".
_base_ = [
    '../_base_/models/dn-deformable-detr_r50_coco.py',
    '../_base_/datasets/voc0712.py',
    '../_base_/schedules/finetune_detr.py',
]
dataset_name = _base_.voc_dataset_name
model = dict(**_base_.detr_model, bbox_head=dict(num_classes=_base_.voc_num_classes))
train_dataloader = dict(_base_.detr_loader, dataset=_base_.voc_train_data)
val_dataloader = test_dataloader = dict(dataset=_base_.voc_val_data)
val_evaluator = test_evaluator = _base_.voc_evaluator
auto_scale_lr = _base_.detr_auto_scale_lr
