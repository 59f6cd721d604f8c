# Global with global alone for 100 epochs: table V (e) and table VI (b) of the appendix. Both tables
# ablate the intermediate loss, which algorithm 1 has of two whole views only.
_base_ = 'detco-gg_r50_8xb32-50e_imagenet.py'

max_epochs = 100
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, begin=0, end=max_epochs)
]
