# Barlow Twins for a laptop, on the backbone of the small Faster R-CNN.
model = dict(
    type='BarlowTwins',
    data_preprocessor=dict(
        bgr_to_rgb=True, mean=(124.95, 119.34, 105.57), std=(72.93, 70.89, 75.735)
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=18,
        base_channels=32,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        out_indices=(3,),
        style='pytorch',
    ),
    neck=dict(
        type='NonLinearNeck',
        hid_channels=512,
        in_channels=256,
        init_cfg=dict(type='Kaiming', distribution='uniform', layer=['Linear']),
        norm_cfg=dict(type='BN1d'),
        num_layers=3,
        out_channels=512,
        with_avg_pool=True,
        with_last_bn=False,
        with_last_bn_affine=False,
    ),
    head=dict(type='mmpixcon.CrossCorrelationHead', lambd=0.0051),
)
# LARS is made for large batches: its steps are too small for few of them.
adam_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0),
)
