# Global with global alone: table VII (a) of the appendix.
_base_ = '../detco_r50_8xb32-200e_imagenet.py'
model = dict(
    head=dict(temperatures=dict(_delete_=True, gg=0.2)),
    data_preprocessor=dict(bgr_to_rgb=True),
)
# No patches: MoCo v2's two views.
views = dict(_base_.contrast_views, views=[_base_.mocov2_view, _base_.mocov2_view])
pipeline = [_base_.read_image, views, dict(type='mmpixcon.PackViews')]
train_dataloader = dict(dataset=dict(pipeline=pipeline))

max_epochs = 50
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, begin=0, end=max_epochs)
]
