# Only the box and class head learns, on BCCD: --cfg-options
# load_from=CHECKPOINT of a detector that Siamese DETR, UP-DETR or DETReg pretrained.
_base_ = [
    '../_base_/models/conditional-detr_r18.py',
    '../_base_/datasets/bccd.py',
    '../_base_/transfer/box_head.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(_delete_=True, **_base_.transfer_model, detector=_base_.model)
model['detector'].bbox_head.num_classes = _base_.num_classes
val_evaluator = test_evaluator = _base_.transfer_evaluator
custom_imports = _base_.transfer_imports
train_cfg = _base_.transfer_train_cfg
param_scheduler = _base_.transfer_param_scheduler
custom_hooks = _base_.transfer_hooks
