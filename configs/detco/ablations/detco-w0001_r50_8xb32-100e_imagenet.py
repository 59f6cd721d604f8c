# Weights (0, 0, 0, 1): table V (a) of the appendix. With gg alone it would be MoCo v2.
_base_ = '../detco_r50_8xb32-200e_imagenet.py'
model = dict(head=dict(weights=(0, 0, 0, 1)))

max_epochs = 100
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, begin=0, end=max_epochs)
]
