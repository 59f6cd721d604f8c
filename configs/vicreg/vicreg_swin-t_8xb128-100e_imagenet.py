# VICReg with Swin-T, 100 epochs: Barlow Twins with Swin-T, with another model and length.
_base_ = '../barlow_twins/barlowtwins_swin-t_8xb128-150e_imagenet.py'
model = dict(
    _delete_=True,
    type='mmpixcon.VICReg',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    neck=dict(_base_.model.neck, with_bias=True),
)
max_epochs = 100
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.warm_up,
    dict(_base_.cosine, T_max=max_epochs - 10, end=max_epochs),
]
