# RetinaNet R50-FPN on COCO, 12k iterations.
_base_ = 'retinanet_r50_fpn_8xb2-90k_coco.py'
train_cfg = _base_.finetune_12k.train_cfg
param_scheduler = _base_.finetune_12k.param_scheduler
