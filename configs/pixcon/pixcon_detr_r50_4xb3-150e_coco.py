# DETR with pixel-level contrast on COCO: the paper's
# loss (alpha = 0, beta = 1) on DETR's one level.
# 12 images on 4 GPUs, learning rate as the stock config, as in the paper.
_base_ = [
    'mmdet::detr/detr_r50_8xb2-150e_coco.py',
    '../_base_/mmpixcon_runtime.py',
    '../_base_/pixcon.py',
]
dataset_name = 'COCO'

model = dict(_delete_=True, **_base_.pixcon_model, detector=_base_.model)

views = dict(**_base_.pixcon_views, detection=_base_.train_pipeline[2:])
train_pipeline = [*_base_.train_pipeline[:2], views]
train_dataloader = dict(
    batch_size=3, dataset=dict(type='mmpixcon.RobustCocoDataset', pipeline=train_pipeline)
)
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))

custom_hooks = [_base_.pixcon_hook, *_base_.custom_hooks]

# 4 GPUs x 3 images
auto_scale_lr = dict(base_batch_size=12)
