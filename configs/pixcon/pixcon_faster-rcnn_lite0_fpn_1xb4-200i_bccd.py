# PixCon on the small Faster R-CNN with an EfficientNet-Lite0 from ImageNet, 200 iterations: beside
# configs/finetune/faster-rcnn_lite0_fpn_1xb4-200i_bccd.py, for few labels.
_base_ = ['pixcon_faster-rcnn_lite0_fpn_1xb8-24e_bccd.py', '../_base_/schedules/finetune.py']
train_dataloader = dict(_base_.finetune_loader, batch_size=4)
train_cfg = _base_.finetune_200.train_cfg
param_scheduler = _base_.finetune_200.param_scheduler
default_hooks = _base_.finetune_200.default_hooks
log_processor = _base_.finetune_log_processor
