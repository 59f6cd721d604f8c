# As with 50 epochs, 150: table 2 of Siamese DETR.
_base_ = 'detr_r50_8xb4-50e_voc0712.py'
train_cfg = _base_.detr_150e.train_cfg
param_scheduler = _base_.detr_150e.param_scheduler
