# A grid of 8 x 8: table 3 (e).
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
regions = dict(type='mmpixcon.GridRegions', n=8)
pipeline = [_base_.read_image, regions, _base_.contrast_views, _base_.pack_views]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
