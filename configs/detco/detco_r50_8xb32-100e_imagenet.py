# DetCo for 100 epochs, with all three contrasts, as in its abstract.
_base_ = 'detco_r50_8xb32-200e_imagenet.py'

max_epochs = 100
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, begin=0, end=max_epochs)
]
