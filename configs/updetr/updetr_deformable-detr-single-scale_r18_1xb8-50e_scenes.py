# UP-DETR on the small single-scale Deformable DETR.
_base_ = '../siamese_detr/siamese-detr_deformable-detr-single-scale_r18_1xb8-50e_scenes.py'
model = dict(_delete_=True, **_base_.region_updetr, detector=_base_.model.detector)
train_dataloader = dict(dataset=dict(pipeline=_base_.region_updetr_pipeline))
train_dataloader['dataset']['pipeline'][2].scales = _base_.small_scales
train_dataloader['dataset']['pipeline'][3].size = _base_.small_crop
