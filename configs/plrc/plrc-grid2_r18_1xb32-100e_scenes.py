# A grid of 2 x 2.
_base_ = 'plrc_r18_1xb32-100e_scenes.py'
_base_.train_dataloader.dataset.pipeline[1].n = 2
