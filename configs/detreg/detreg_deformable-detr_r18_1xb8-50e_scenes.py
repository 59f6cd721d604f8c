# DETReg on the small two-stage Deformable DETR; the image is mirrored, not cropped.
_base_ = '../siamese_detr/siamese-detr_deformable-detr_r18_1xb8-50e_scenes.py'
model = dict(_delete_=True, **_base_.region_detreg, detector=_base_.model.detector)
train_dataloader = dict(dataset=dict(pipeline=_base_.region_detreg_pipeline))
train_dataloader['dataset']['pipeline'][1].source.path = _base_.small_selective_search
train_dataloader['dataset']['pipeline'][3] = dict(
    type='RandomChoiceResize', scales=_base_.small_scales, keep_ratio=True
)
train_dataloader['dataset']['pipeline'][4].size = _base_.small_crop
