# PLRC on COCO for 400 epochs: a 4 x 4 grid in figure 6.
_base_ = 'plrc_r50_8xb32-800e_coco.py'

max_epochs = 400
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, begin=0, end=max_epochs)
]
