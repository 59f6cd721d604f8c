# Fine-tuning on BCCD: --cfg-options load_from=CHECKPOINT of the small Deformable
# DETR trained on the built-in scenes, with PixCon or without.
_base_ = ['../stock/deformable-detr_r18_1xb8-24e_bccd.py', '../_base_/transfer/fine_tune.py']
custom_imports = _base_.transfer_imports
train_cfg = _base_.transfer_train_cfg
param_scheduler = _base_.transfer_param_scheduler
custom_hooks = _base_.transfer_hooks
