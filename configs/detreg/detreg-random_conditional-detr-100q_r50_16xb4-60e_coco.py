# DETReg on COCO with random boxes (table 4).
_base_ = 'detreg_conditional-detr-100q_r50_16xb4-60e_coco.py'
train_dataloader = _base_.train_dataloader
train_dataloader['dataset'].pipeline[1].source = dict(type='RandomRegions', num=30)
