# A grid of 2 x 2: table 3 (e).
_base_ = 'plrc_r50_8xb32-100e_imagenet.py'
_base_.train_dataloader.dataset.pipeline[1].n = 2
