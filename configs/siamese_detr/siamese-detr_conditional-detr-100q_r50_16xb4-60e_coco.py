# Siamese DETR on COCO: Conditional DETR with 100 queries (table 2).
_base_ = 'siamese-detr_conditional-detr-100q_r50_32xb8-60e_imagenet.py'

model = dict(head=dict(region_weight=3.0, global_weight=0.3))

train_dataloader = _base_.region_coco
train_dataloader['dataset'].pipeline = _base_.region_siamese_pipeline
train_dataloader['dataset'].pipeline[1] = _base_.region_resize_coco
train_dataloader['dataset'].pipeline[3].source.path = 'data/coco/proposals/edge_boxes'

auto_scale_lr = _base_.region_auto_scale_lr_coco
