# DN-Deformable-DETR, deformable attention in its decoder too, with pixel-level contrast on COCO.
# The paper has the one of deformable attention in the encoder only.
_base_ = [
    '../_base_/models/dn-deformable-detr_r50_coco.py',
    '../_base_/pixcon.py',
]

model = dict(_delete_=True, **_base_.pixcon_model, detector=_base_.model)

load = [step for step in _base_.train_pipeline if step.type.startswith('Load')]
augment = [step for step in _base_.train_pipeline if not step.type.startswith('Load')]
train_pipeline = [*load, dict(**_base_.pixcon_views, detection=augment)]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
