# Conditional DETR with 300 queries on VOC 07+12: table 2 of Siamese DETR.
_base_ = ['conditional-detr_r50_8xb4-50e_coco.py', '../_base_/datasets/voc0712.py']
model = dict(bbox_head=dict(num_classes=_base_.voc_num_classes))
train_dataloader = dict(dataset=_base_.voc_train_data)
val_dataloader = test_dataloader = dict(dataset=_base_.voc_val_data)
val_evaluator = test_evaluator = _base_.voc_evaluator
dataset_name = _base_.voc_dataset_name
