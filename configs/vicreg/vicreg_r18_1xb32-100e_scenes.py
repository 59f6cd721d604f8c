# The small VICReg: the small Barlow Twins with another model.
_base_ = '../barlow_twins/barlowtwins_r18_1xb32-100e_scenes.py'
model = dict(
    _delete_=True,
    type='mmpixcon.VICReg',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    neck=dict(_base_.model.neck, with_bias=True),
)
# At Barlow Twins' 1e-3 the views agree too late (README.md).
optim_wrapper = dict(optimizer=dict(lr=3e-3))
