# BCCD, 364 photos of blood cells, three classes (MIT license), in COCO format, 24 epochs. They
# are examples/bccd of the repository, found from a checkout as working directory.
# --data-root DIR on the command line names another place.
dataset_name = 'BCCD'
data_root = 'examples/bccd/'
metainfo = dict(classes=('RBC', 'WBC', 'Platelets'))
num_classes = 3
image_size = (320, 240)

load_image = dict(type='LoadImageFromFile')
load_annotations = dict(type='LoadAnnotations', with_bbox=True)
resize = dict(type='Resize', scale=image_size, keep_ratio=True)
augment = [dict(type='RandomFlip', prob=0.5), resize, dict(type='PackDetInputs')]
# PixCon's: the momentum view is as large as the detection view.
views = dict(
    type='mmpixcon.PixelContrastViews',
    detection=augment,
    momentum=dict(type='mmpixcon.MomentumView', scale=image_size),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        metainfo=metainfo,
        ann_file='train.json',
        data_prefix=dict(img='images/'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=[load_image, load_annotations, *augment],
        backend_args=None,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        metainfo=metainfo,
        ann_file='val.json',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=[
            load_image,
            resize,
            load_annotations,
            dict(
                type='PackDetInputs',
                meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
            ),
        ],
        backend_args=None,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + 'val.json',
    metric='bbox',
    format_only=False,
    backend_args=None,
)
test_evaluator = val_evaluator

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=24, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
warm_up = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50)
param_scheduler = [
    warm_up,
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=24, milestones=[20], gamma=0.1),
]
auto_scale_lr = dict(base_batch_size=8)
