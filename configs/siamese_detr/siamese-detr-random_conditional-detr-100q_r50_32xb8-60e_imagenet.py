# Siamese DETR on ImageNet with random boxes (table 4).
_base_ = 'siamese-detr_conditional-detr-100q_r50_32xb8-60e_imagenet.py'
train_dataloader = _base_.train_dataloader
train_dataloader['dataset'].pipeline[3].source = dict(type='RandomRegions', num=100)
