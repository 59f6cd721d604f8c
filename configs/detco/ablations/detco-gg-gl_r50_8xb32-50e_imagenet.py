# Global with global, local with global: table VII (b) of the appendix.
_base_ = '../detco_r50_8xb32-200e_imagenet.py'
model = dict(head=dict(temperatures=dict(_delete_=True, gg=0.2, gl=0.5)))

max_epochs = 50
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, begin=0, end=max_epochs)
]
