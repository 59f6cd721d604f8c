# A grid of 2 x 2: figure 6.
_base_ = 'plrc_r50_8xb32-400e_coco.py'
_base_.train_dataloader.dataset.pipeline[1].n = 2
