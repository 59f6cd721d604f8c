# The small Faster R-CNN on household photos, 200 iterations from a pretrained backbone.
_base_ = ['faster-rcnn_r18_fpn_1xb4-200i_bccd.py', '../_base_/datasets/household.py']
dataset_name = _base_.household_name
train_dataloader = dict(dataset=_base_.household)
val_dataloader = dict(dataset=_base_.household)
test_dataloader = val_dataloader
val_evaluator = _base_.household_metric
test_evaluator = val_evaluator
