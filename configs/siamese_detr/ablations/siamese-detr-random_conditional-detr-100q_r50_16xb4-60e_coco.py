# Siamese DETR on COCO with random boxes (table 4).
_base_ = '../siamese-detr_conditional-detr-100q_r50_16xb4-60e_coco.py'
source = dict(type='RandomSharedRegions')
steps = dict(_base_.siamese_steps, regions=dict(_base_.siamese_steps.regions, source=source))
train_dataloader = dict(dataset=dict(pipeline=[*steps.values()]))
