# DAB-Deformable-DETR on 10 % of VOC 07+12: table 6 of Siamese DETR.
_base_ = 'dab-deformable-detr_r50_8xb4-50e_voc0712.py'
train_dataloader = dict(dataset=dict(ann_file=_base_.voc_10percent))
