# UP-DETR on ImageNet: Conditional DETR with 300 queries.
_base_ = '../siamese_detr/siamese-detr_conditional-detr_r50_32xb8-60e_imagenet.py'
model = dict(_delete_=True, **_base_.region_updetr, detector=_base_.model.detector)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.updetr_steps.values()]))
