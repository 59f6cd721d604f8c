# DN-DAB-Deformable-DETR (deformable encoder only) on COCO, the model of tables 2 and 3 of DN-DETR:
# Deformable DETR's encoder on four levels, DAB-DETR's decoder with dense attention to each of
# them, three patterns, query denoising. Widths, activations and rates of DN-DETR's release.
_base_ = 'dn-detr_r50_coco.py'

ffn = dict(embed_dims=256, feedforward_channels=2048, ffn_drop=0.0, act_cfg=dict(type='ReLU'))
model = dict(
    type='mmpixcon.DNDeformableEncoderDETR',
    num_feature_levels=4,
    num_patterns=3,
    backbone=dict(out_indices=(1, 2, 3)),
    neck=dict(
        in_channels=[512, 1024, 2048],
        norm_cfg=dict(_delete_=True, type='GN', num_groups=32),
        num_outs=4,
    ),
    encoder=dict(
        layer_cfg=dict(
            self_attn_cfg=dict(_delete_=True, embed_dims=256, dropout=0.0, batch_first=True),
            ffn_cfg=ffn,
        )
    ),
    decoder=dict(layer_cfg=dict(num_levels=4, ffn_cfg=ffn)),
)
