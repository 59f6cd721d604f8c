# DN-Deformable-DETR (deformable encoder only) with pixel-level contrast on COCO: table 1 of the
# paper, alpha = 0, beta = 1, on the coarsest level.
_base_ = [
    '../_base_/models/dn-deformable-encoder_r50_coco.py',
    '../_base_/pixcon.py',
]

model = dict(_delete_=True, **_base_.pixcon_model, detector=_base_.model)

load = [step for step in _base_.train_pipeline if step.type.startswith('Load')]
augment = [step for step in _base_.train_pipeline if not step.type.startswith('Load')]
train_pipeline = [*load, dict(**_base_.pixcon_views, detection=augment)]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
