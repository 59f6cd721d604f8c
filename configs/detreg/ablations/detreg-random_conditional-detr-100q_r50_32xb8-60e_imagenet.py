# DETReg on ImageNet with random boxes (table 4).
_base_ = '../detreg_conditional-detr-100q_r50_32xb8-60e_imagenet.py'
source = dict(type='RandomRegions', num=30)
steps = dict(_base_.detreg_steps, regions=dict(_base_.detreg_steps.regions, source=source))
train_dataloader = dict(dataset=dict(pipeline=[*steps.values()]))
