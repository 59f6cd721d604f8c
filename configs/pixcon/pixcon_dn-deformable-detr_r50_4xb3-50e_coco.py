# DN-Deformable-DETR with pixel-level contrast on COCO: table 1 of the paper,
# alpha = 0, beta = 1, on the coarsest level.
_base_ = '../dn_detr/dn-deformable-detr_r50_4xb3-50e_coco.py'

detector = _base_.model
model = dict(
    _delete_=True,
    type='mmpixcon.PixelContrastDetector',
    detector=detector,
    levels=(-1,),
    S=9.0,
    alpha=0.0,
    beta=1.0,
    momentum=0.99,
)

train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(
        type='mmpixcon.PixelContrastViews',
        detection=_base_.train_pipeline[2:],
        momentum=dict(type='mmpixcon.MomentumView', scale=(640, 640)),
    ),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

custom_hooks = [dict(type='mmpixcon.PixelContrastHook'), *_base_.custom_hooks]
