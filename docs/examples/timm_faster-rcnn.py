# The small Faster R-CNN on BCCD, over a ConvNeXt of timm that knows ImageNet.
_base_ = '../../configs/stock/faster-rcnn_r18_fpn_1xb8-24e_bccd.py'
custom_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpixcon.TIMMBackbone',
        model_name='convnext_atto.d2_in1k',
        pretrained=True,
        out_indices=(0, 1, 2, 3),
        frozen_stages=1,
    ),
    neck=dict(in_channels=[40, 80, 160, 320]),
)
# What is pretrained learns at a tenth of the rate of what is not.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
