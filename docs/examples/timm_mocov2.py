# The small MoCo v2 on BCCD, over an EfficientNet of timm that knows ImageNet.
_base_ = '../../configs/moco/mocov2_r18_1xb32-100e_bccd.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpixcon.TIMMBackbone',
        model_name='efficientnet_b0.ra_in1k',
        pretrained=True,
    ),
    neck=dict(in_channels=320),
)
