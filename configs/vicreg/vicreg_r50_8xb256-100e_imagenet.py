# VICReg for detection, 100 epochs: the views, normalization and projector of
# "Self-supervised learning for Object Detection", the rest as VICReg's authors have it.
_base_ = '../barlow_twins/barlowtwins_r50_8xb256-150e_imagenet.py'
model = dict(
    _delete_=True,
    type='mmpixcon.VICReg',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    # The expander's hidden layers have biases, its last has none, nor a norm.
    neck=dict(_base_.model.neck, with_bias=True),
    loss=dict(type='mmpixcon.VICRegLoss', invariance=25.0, variance=25.0, covariance=1.0),
)
# One rate for all parameters; LARS leaves biases and norms undecayed and unscaled.
optim_wrapper = dict(paramwise_cfg=None)
max_epochs = 100
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    _base_.warm_up,
    dict(_base_.cosine, T_max=max_epochs - 10, end=max_epochs),
]
