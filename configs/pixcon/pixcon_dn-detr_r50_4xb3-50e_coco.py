# DN-DETR with pixel-level contrast on COCO: table 1 of the paper, alpha = 0, beta = 1.
_base_ = [
    '../dn_detr/dn-detr_r50_4xb3-50e_coco.py',
    '../_base_/pixcon.py',
]

model = dict(_delete_=True, **_base_.pixcon_model, detector=_base_.model)

views = dict(**_base_.pixcon_views, detection=_base_.train_pipeline[2:])
train_pipeline = [*_base_.train_pipeline[:2], views]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

custom_hooks = [_base_.pixcon_hook, *_base_.custom_hooks]
