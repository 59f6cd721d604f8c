# Mask R-CNN R50-FPN on COCO, 180k iterations (2x).
_base_ = 'mask-rcnn_r50_fpn_8xb2-90k_coco.py'
train_cfg = _base_.finetune_180k.train_cfg
param_scheduler = _base_.finetune_180k.param_scheduler
