# mmdet's Deformable DETR with 12 images a step on 4 GPUs: the baseline of the PixCon
# paper's table 1.
_base_ = ['mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py']
dataset_name = 'COCO'
train_dataloader = dict(batch_size=3)
# 4 GPUs x 3 images
auto_scale_lr = dict(base_batch_size=12)
