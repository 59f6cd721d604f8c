# DN-Deformable-DETR, deformable encoder only, for a laptop: the small DAB-DETR's decoder on levels
# of strides 16, 32 and 64, three patterns, query denoising.
_base_ = 'dab-detr_r18.py'
model = dict(
    type='mmpixcon.DNDeformableEncoderDETR',
    num_feature_levels=3,
    num_patterns=3,
    dn_cfg=dict(num_groups=5, label_noise=0.2, box_noise=0.4),
    backbone=dict(out_indices=(2, 3), strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1)),
    neck=dict(
        in_channels=[128, 256], norm_cfg=dict(_delete_=True, type='GN', num_groups=32), num_outs=3
    ),
    encoder=dict(
        num_layers=1,
        layer_cfg=dict(
            self_attn_cfg=dict(
                _delete_=True,
                embed_dims=256,
                num_levels=3,
                num_points=2,
                dropout=0.0,
                batch_first=True,
            )
        ),
    ),
    decoder=dict(num_layers=2, layer_cfg=dict(num_levels=3)),
    bbox_head=dict(type='mmpixcon.DNDETRHead'),
)
