# A grid of 8 x 8: table 3 (e).
_base_ = 'plrc_r50_8xb32-100e_imagenet.py'
_base_.train_dataloader.dataset.pipeline[1].n = 8
