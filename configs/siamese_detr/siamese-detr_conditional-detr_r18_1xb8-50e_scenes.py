# Siamese DETR on the small Conditional DETR.
_base_ = [
    '../_base_/models/conditional-detr_r18.py',
    '../_base_/datasets/regions_scenes.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(_delete_=True, **_base_.region_siamese_detr, detector=_base_.model)
model['detector'].backbone.update(base_channels=32, init_cfg=_base_.region_backbone)
model['detector'].neck.in_channels = [256]
train_dataloader = dict(dataset=dict(pipeline=[*_base_.siamese_steps.values()]))
optim_wrapper = _base_.region_optim_wrapper
