# The template's method, small, on BCCD: data, views, schedule and backbone are those of the small
# VICReg.
_base_ = 'mmpixcon::vicreg/vicreg_r18_1xb32-100e_bccd.py'
custom_imports = dict(imports=['mmpixcon', 'view_agreement'], allow_failed_imports=False)
model = dict(
    _delete_=True,
    type='mmpixcon.ViewAgreement',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    neck=_base_.model.neck,
    predictor=dict(
        type='mmselfsup.NonLinearNeck',
        in_channels=512,
        hid_channels=128,
        out_channels=512,
        with_avg_pool=False,
        with_last_bn=False,
    ),
)
# That hook watches a loss of VICReg's kind.
custom_hooks = [hook for hook in _base_.custom_hooks if 'EmbeddingMonitorHook' not in hook.type]
