# Siamese DETR on COCO: DAB-DETR with 300 queries.
_base_ = [
    'mmdet::dab_detr/dab-detr_r50_8xb2-50e_coco.py',
    '../_base_/datasets/regions_coco.py',
]

model = dict(_delete_=True, **_base_.region_siamese_detr, detector=_base_.model)
model['detector'].backbone.init_cfg = _base_.region_backbone

train_dataloader = _base_.region_dataloader
train_dataloader['dataset'].pipeline = [*_base_.siamese_steps.values()]
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None

optim_wrapper = _base_.region_optim_wrapper
train_cfg = _base_.region_train_cfg
param_scheduler = _base_.region_param_scheduler
auto_scale_lr = _base_.region_auto_scale_lr
