# DETReg on ImageNet with Edge Boxes (table 4).
_base_ = '../detreg_conditional-detr-100q_r50_32xb8-60e_imagenet.py'
source = dict(type='ProposalRegions', path='data/imagenet/proposals/edge_boxes')
steps = dict(_base_.detreg_steps, regions=dict(_base_.detreg_steps.regions, source=source))
train_dataloader = dict(dataset=dict(pipeline=[*steps.values()]))
