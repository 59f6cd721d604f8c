# Mask R-CNN R50-C4 on COCO, 12k iterations.
_base_ = 'mask-rcnn_r50-c4_8xb2-90k_coco.py'
train_cfg = _base_.finetune_12k.train_cfg
param_scheduler = _base_.finetune_12k.param_scheduler
