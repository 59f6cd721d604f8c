# UP-DETR of "Self-supervised learning for Object Detection" (table 1): 20 epochs; the rate falls
# after two thirds of them, as in UP-DETR's own.
_base_ = 'updetr_detr_r50_32xb8-60e_imagenet.py'
train_cfg = dict(max_epochs=20)
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=20, by_epoch=True, milestones=[13], gamma=0.1)
]
