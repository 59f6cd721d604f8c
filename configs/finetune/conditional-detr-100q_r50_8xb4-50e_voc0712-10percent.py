# Conditional DETR with 100 queries on 10 % of VOC 07+12: figure 8 of Siamese DETR.
_base_ = 'conditional-detr-100q_r50_8xb4-50e_voc0712.py'
train_dataloader = dict(dataset=dict(ann_file=_base_.voc_10percent))
