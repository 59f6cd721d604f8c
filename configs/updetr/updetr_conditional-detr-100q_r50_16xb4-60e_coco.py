# UP-DETR on COCO: Conditional DETR with 100 queries, random patches (tables 2 and 4).
_base_ = '../siamese_detr/siamese-detr_conditional-detr-100q_r50_16xb4-60e_coco.py'
model = dict(_delete_=True, **_base_.region_updetr, detector=_base_.model.detector)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.updetr_steps.values()]))
