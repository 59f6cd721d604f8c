# DN-DETR for a laptop: the small DAB-DETR and query denoising.
_base_ = 'dab-detr_r18.py'
model = dict(
    type='mmpixcon.DNDETR',
    bbox_head=dict(type='mmpixcon.DNDETRHead'),
    dn_cfg=dict(num_groups=5, label_noise=0.2, box_noise=0.4),
)
