# A grid of 2 x 2: table 3 (e).
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
regions = dict(type='mmpixcon.GridRegions', n=2)
pipeline = [_base_.read_image, regions, _base_.contrast_views, _base_.pack_views]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
