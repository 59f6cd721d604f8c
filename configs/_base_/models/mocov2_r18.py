# MoCo v2 for a laptop, on the backbone of the small Faster R-CNN, so that it can be fine-tuned
# there. Fewer keys than photos; few steps, so the average must follow sooner.
model = dict(
    type='mmpixcon.MoCo',
    data_preprocessor=dict(
        bgr_to_rgb=True, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
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
        type='MoCoV2Neck', hid_channels=256, in_channels=256, out_channels=128, with_avg_pool=True
    ),
    loss=dict(type='mmpixcon.InfoNCELoss', temperature=0.2),
    queue_len=192,
    momentum=0.99,
)
