# The built-in scenes for pretraining detection transformers, 50 epochs, on the frozen backbone that
# `python tools/train.py configs/moco/mocov2_r18_1xb32-100e_scenes.py` trains.
_base_ = '../pretrain_detr.py'

resize = dict(type='RandomChoiceResize', scales=[(160, 128)], keep_ratio=True)
edge_boxes = dict(type='ProposalRegions', path='data/scenes/proposals/edge_boxes')
selective_search = dict(type='ProposalRegions', path='data/scenes/proposals/selective_search')
siamese_steps = dict(
    _base_.siamese_steps,
    resize=resize,
    regions=dict(_base_.siamese_steps.regions, source=edge_boxes),
    crops=dict(_base_.siamese_steps.crops, size=64),
)
updetr_steps = dict(
    _base_.updetr_steps, resize=resize, crops=dict(_base_.updetr_steps.crops, size=64)
)
# Resized, not cropped.
detreg_steps = dict(
    _base_.detreg_steps,
    resize=dict(resize, _delete_=True),
    regions=dict(_base_.detreg_steps.regions, source=selective_search),
    crops=dict(_base_.detreg_steps.crops, size=64),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmpixcon.UnlabelledDataset',
        data_root='data/scenes/',
        ann_file='annotations/train.json',
        data_prefix=dict(img_path='train/'),
    ),
)
region_backbone = dict(
    checkpoint='work_dirs/mocov2_r18_1xb32-100e_scenes/epoch_100.pth', prefix='backbone.'
)
# Several objects an image, as COCO: the release's weight of L_g there.
region_siamese_detr = dict(head=dict(global_weight=0.3))

region_optim_wrapper = dict(optimizer=dict(lr=4e-4))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=50, milestones=[40], gamma=0.1),
]
auto_scale_lr = dict(base_batch_size=8)
