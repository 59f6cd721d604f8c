# Pretraining of detection transformers on regions: the hooks of a run, and pieces, named region_*
# and *_steps, that a config of a detector puts around it:
#
#   _base_ = ['YOUR_CONFIG.py', THIS_FILE]
#   model = dict(_delete_=True, **_base_.region_siamese_detr, detector=_base_.model)
#   model['detector'].backbone.init_cfg = _base_.region_backbone
#   train_dataloader = _base_.region_dataloader
#   train_dataloader['dataset'].pipeline = [*_base_.siamese_steps.values()]
#   optim_wrapper = _base_.region_optim_wrapper
#   train_cfg = _base_.region_train_cfg
#   param_scheduler = _base_.region_param_scheduler
#   auto_scale_lr = _base_.region_auto_scale_lr
#   val_dataloader = val_cfg = val_evaluator = None
#   test_dataloader = test_cfg = test_evaluator = None
#
# With region_updetr and updetr_steps, or region_detreg and detreg_steps, it is UP-DETR or DETReg.
# Color is SimSiam's, which is MoCo v2's.
_base_ = 'views/mocov2.py'

# SwAV of 800 epochs from its release, frozen, as in the papers. Any checkpoint with the backbone's
# names does, under any prefix ('backbone.' in mmselfsup's); without one, take
# 'torchvision://resnet50' and no prefix.
region_backbone = dict(
    type='Pretrained',
    checkpoint='https://dl.fbaipublicfiles.com/deepcluster/swav_800ep_pretrain.pth.tar',
    prefix='module.',
)

# Weights as in the releases. Those of boxes and classes are the detector's bbox_head's.
# Siamese DETR's paper says 3 for L_g and 0.3 for L_r where its release has 0.3 and 3 on COCO.
region_siamese_detr = dict(
    type='mmpixcon.SiameseDETR',
    head=dict(type='mmpixcon.SiameseDETRHead', region_weight=3.0, global_weight=10.0),
    num_regions=10,
    box_jitter=0.1,
    no_object_weight=0.1,
)
region_updetr = dict(
    type='mmpixcon.UPDETR',
    head=dict(type='mmpixcon.RegionQueryHead', region_weight=1.0),
    num_regions=10,
    drop_prob=0.1,
    no_object_weight=0.1,
)
region_detreg = dict(type='mmpixcon.DETReg', embedding_level=0)

region_load = dict(type='LoadImageFromFile')
# Of ImageNet's images, of COCO's.
region_resize_imagenet = dict(
    type='RandomChoiceResize',
    scales=[
        (320, 600),
        (336, 600),
        (352, 600),
        (368, 600),
        (400, 600),
        (416, 600),
        (432, 600),
        (448, 600),
        (464, 600),
        (480, 600),
    ],
    keep_ratio=True,
)
region_resize_coco = dict(
    type='RandomChoiceResize',
    scales=[
        (480, 1333),
        (512, 1333),
        (544, 1333),
        (576, 1333),
        (608, 1333),
        (640, 1333),
        (672, 1333),
        (704, 1333),
        (736, 1333),
        (768, 1333),
        (800, 1333),
    ],
    keep_ratio=True,
)
# Pipelines are the steps below, by name: [*siamese_steps.values()]. Sizes and boxes are those of
# ImageNet; files in datasets/ say others.
siamese_steps = dict(
    load=region_load,
    resize=region_resize_imagenet,
    views=dict(
        type='mmpixcon.IoUConstrainedViews',
        iou=0.5,
        area=(0.5, 1.0),
        flip_prob=0.5,
        transforms=_base_.mocov2_color,
    ),
    regions=dict(
        type='mmpixcon.SharedProposals',
        source=dict(type='ProposalRegions', path='data/imagenet/proposals/edge_boxes'),
        num=10,
        min_area=0.05,
    ),
    crops=dict(type='mmpixcon.RegionCrops', size=128),
    pack=dict(type='mmpixcon.PackRegions'),
)
# The image is not mirrored.
updetr_steps = dict(
    load=region_load,
    regions=dict(
        type='mmpixcon.RegionTargets',
        source=dict(type='RandomPatches', num=10),
        num=10,
        fill=True,
    ),
    resize=region_resize_imagenet,
    crops=dict(type='mmpixcon.RegionCrops', size=128, transforms=_base_.mocov2_color),
    pack=dict(type='mmpixcon.PackRegions'),
)
# Mirrored and resized as DETR's augmentation does, with the sizes of ImageNet's images: DETReg's
# release has them on COCO too.
detreg_steps = dict(
    load=region_load,
    regions=dict(
        type='mmpixcon.RegionTargets',
        source=dict(type='ProposalRegions', path='data/imagenet/proposals/selective_search'),
        num=30,
    ),
    flip=dict(type='RandomFlip', prob=0.5),
    resize=dict(
        type='RandomChoice',
        transforms=[
            [region_resize_imagenet],
            [
                dict(
                    type='RandomChoiceResize',
                    scales=[(400, 1333), (500, 1333), (600, 1333)],
                    keep_ratio=True,
                ),
                dict(
                    type='RandomCrop',
                    crop_type='absolute_range',
                    crop_size=(384, 600),
                    allow_negative_crop=True,
                ),
                region_resize_imagenet,
            ],
        ],
    ),
    crops=dict(type='mmpixcon.RegionCrops', size=128, transforms=_base_.mocov2_color),
    pack=dict(type='mmpixcon.PackRegions'),
)

region_dataloader = dict(
    _delete_=True,
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmpixcon.UnlabelledDataset',
        data_root='data/imagenet/',
        data_prefix=dict(img_path='train/'),
    ),
)

# The papers' 40/60 schedule.
region_optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1, norm_type=2),
)
custom_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)
custom_hooks = [
    dict(type='mmpixcon.PlainCheckpointHook'),
    dict(type='mmpixcon.FiniteLossHook'),
    # Whether queries use the features that they get.
    dict(type='mmpixcon.RegionConditionHook'),
    # How many dimensions the states of the queries use.
    dict(
        type='mmpixcon.EmbeddingMonitorHook',
        module='detector.bbox_head',
        paired=False,
        draw_interval=0,
    ),
]
region_train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=60)
region_param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=60, milestones=[40], gamma=0.1)
]
# 32 GPUs x 8 images
region_auto_scale_lr = dict(base_batch_size=256)
