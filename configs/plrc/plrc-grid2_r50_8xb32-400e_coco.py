# A grid of 2 x 2: figure 6.
_base_ = 'plrc_r50_8xb32-400e_coco.py'
_base_.plrc_pipeline[1].n = 2
train_dataloader = dict(dataset=dict(pipeline=_base_.plrc_pipeline))
