# mmdet's Deformable DETR on BDD100K, nothing of mmpixcon in it: the baseline of
# the paper's table 2. 12 images on 4 GPUs, learning rate as the stock config.
_base_ = [
    'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    '../_base_/datasets/bdd100k.py',
]
model = dict(bbox_head=dict(num_classes=_base_.bdd_num_classes))

train_dataloader = _base_.bdd_train_dataloader
train_dataloader.batch_size = 3
val_dataloader = test_dataloader = _base_.bdd_val_dataloader
val_evaluator = test_evaluator = _base_.bdd_evaluator
dataset_name = _base_.bdd_dataset_name

# 4 GPUs x 3 images
auto_scale_lr = dict(base_batch_size=12)
