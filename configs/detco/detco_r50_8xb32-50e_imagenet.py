# DetCo for 50 epochs: table VII (c) of the appendix.
_base_ = 'detco_r50_8xb32-200e_imagenet.py'

max_epochs = 50
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, begin=0, end=max_epochs)
]
