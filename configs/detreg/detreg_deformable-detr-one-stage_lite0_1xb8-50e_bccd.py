# DETReg on the small one-stage Deformable DETR, whose frozen backbone knows ImageNet; the image is
# mirrored, not cropped.
_base_ = [
    '../_base_/models/deformable-detr-one-stage_lite0.py',
    '../_base_/datasets/regions_bccd.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(_delete_=True, **_base_.region_detreg, detector=_base_.model)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.detreg_steps.values()]))
optim_wrapper = _base_.region_optim_wrapper
