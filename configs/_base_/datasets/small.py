# What the small data sets share: how images are loaded and batched. scenes.py and bccd.py
# beside this file say which images, and their size.
#
# Pieces, named small_*: a config assigns them, so that the stock detectors and
# PixCon's train on the same data for the same time.
small_load = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
]
small_augment = [
    dict(type='RandomFlip', prob=0.5),
    dict(type='Resize', keep_ratio=True),
    dict(type='PackDetInputs'),
]
small_train_dataloader = dict(
    batch_size=8, num_workers=2, dataset=dict(pipeline=[*small_load, *small_augment])
)
small_views = dict(
    type='mmpixcon.PixelContrastViews',
    detection=small_augment,
    momentum=dict(type='mmpixcon.MomentumView'),
)
small_views_dataloader = dict(
    batch_size=8, num_workers=2, dataset=dict(pipeline=[*small_load, small_views])
)
small_test_pipeline = [
    small_load[0],
    dict(type='Resize', keep_ratio=True),
    small_load[1],
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
small_val_dataloader = dict(batch_size=8, num_workers=2, dataset=dict(pipeline=small_test_pipeline))
small_warm_up = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50)
small_auto_scale_lr = dict(base_batch_size=8)
