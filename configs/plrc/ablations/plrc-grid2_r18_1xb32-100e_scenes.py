# A grid of 2 x 2.
_base_ = '../plrc_r18_1xb32-100e_scenes.py'
regions = dict(type='mmpixcon.GridRegions', n=2)
pipeline = [_base_.read_image, regions, _base_.contrast_views, _base_.pack_views]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
