# DN-Deformable-DETR for a laptop: the small Deformable DETR in one stage, three patterns, query
# denoising.
_base_ = 'deformable-detr_r18.py'
model = dict(
    type='mmpixcon.DNDeformableDETR',
    as_two_stage=False,
    encoder=dict(layer_cfg=dict(self_attn_cfg=dict(dropout=0.0))),
    decoder=dict(layer_cfg=dict(cross_attn_cfg=dict(dropout=0.0))),
    bbox_head=dict(type='mmpixcon.DNDeformableDETRHead'),
    num_patterns=3,
    dn_cfg=dict(num_groups=5, label_noise=0.2, box_noise=0.4),
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(_delete_=True, backbone=dict(lr_mult=1.0)))
)
