# Fine-tuning from COCO to BDD100K, the PixCon paper's table 3, weights of a run
# without PixCon.
_base_ = [
    '../dn_detr/dn-deformable-encoder_r50_4xb3-50e_bdd100k.py',
    '../_base_/transfer/fine_tune.py',
]
custom_imports = _base_.transfer_imports
train_cfg = _base_.transfer_train_cfg
param_scheduler = _base_.transfer_param_scheduler
custom_hooks = _base_.transfer_hooks
load_from = 'work_dirs/dn-deformable-encoder_r50_4xb3-50e_coco/epoch_50.pth'
