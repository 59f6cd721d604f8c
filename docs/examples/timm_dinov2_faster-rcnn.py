# The small Faster R-CNN on BCCD, over a frozen DINOv2 of timm.
_base_ = 'timm_faster-rcnn.py'
model = dict(
    backbone=dict(
        model_name='vit_small_patch14_dinov2.lvd142m',
        # Resampled from 14, so that strides are those of the detector's anchors.
        patch_size=16,
        img_size=224,
        # The map after the last of 12 blocks, through the last norm.
        out_indices=(-1,),
        norm=True,
        frozen_stages=12,
    ),
    neck=dict(
        _delete_=True, type='mmpixcon.SimpleFPN', in_channels=384, out_channels=64, num_outs=5
    ),
)
