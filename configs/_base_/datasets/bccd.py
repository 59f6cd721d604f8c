# BCCD, 364 photos of blood cells, three classes (MIT licence), in COCO format:
# a folder of images with train.json, val.json and test.json beside it.
#
# Pieces, named small_*: a config assigns them, so that the stock detectors and
# PixCon's train on the same data for the same time. --data-root DIR on the
# command line names another place.
small_data = dict(
    data_root='data/bccd/',
    metainfo=dict(classes=('RBC', 'WBC', 'Platelets')),
)
small_num_classes = 3
small_train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Resize', scale=(320, 240), keep_ratio=True),
    dict(type='PackDetInputs'),
]
small_test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(320, 240), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
small_train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(
        **small_data,
        ann_file='train.json',
        data_prefix=dict(img='images/'),
        pipeline=small_train_pipeline,
    ),
)
# For PixCon: the momentum view is as large as the detection view.
small_views_dataloader = dict(
    small_train_dataloader,
    dataset=dict(
        small_train_dataloader['dataset'],
        pipeline=[
            *small_train_pipeline[:2],
            dict(
                type='mmpixcon.PixelContrastViews',
                detection=small_train_pipeline[2:],
                momentum=dict(type='mmpixcon.MomentumView', scale=(320, 240)),
            ),
        ],
    ),
)
small_val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(
        **small_data,
        ann_file='val.json',
        data_prefix=dict(img='images/'),
        pipeline=small_test_pipeline,
    ),
)
small_evaluator = dict(ann_file=small_data['data_root'] + 'val.json')
small_epochs = 24
small_train_cfg = dict(max_epochs=small_epochs, val_interval=4)
small_param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(
        type='MultiStepLR',
        by_epoch=True,
        begin=0,
        end=small_epochs,
        milestones=[20],
        gamma=0.1,
    ),
]
small_auto_scale_lr = dict(base_batch_size=8)
