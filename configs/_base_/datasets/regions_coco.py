# COCO train2017 for pretraining detection transformers.
_base_ = '../pretrain_detr.py'

edge_boxes = dict(type='ProposalRegions', path='data/coco/proposals/edge_boxes')
selective_search = dict(type='ProposalRegions', path='data/coco/proposals/selective_search')
siamese_steps = dict(
    _base_.siamese_steps,
    resize=_base_.region_resize_coco,
    regions=dict(_base_.siamese_steps.regions, source=edge_boxes),
)
updetr_steps = dict(_base_.updetr_steps, resize=_base_.region_resize_coco)
# The release's weight of L_g on COCO.
region_siamese_detr = dict(head=dict(global_weight=0.3))
detreg_steps = dict(
    _base_.detreg_steps,
    regions=dict(_base_.detreg_steps.regions, source=selective_search),
)
region_dataloader = dict(
    batch_size=4,
    dataset=dict(
        data_root='data/coco/',
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img_path='train2017/'),
    ),
)
# 16 GPUs x 4 images
region_auto_scale_lr = dict(base_batch_size=64)
