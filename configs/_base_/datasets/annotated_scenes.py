# The built-in scenes' validation images with their masks, for hooks that measure features while
# pretraining. Pieces, named small_*.
small_dataset_name = 'built-in scenes'
small_annotated = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmdet.CocoDataset',
        data_root='data/scenes/',
        ann_file='annotations/val.json',
        data_prefix=dict(img='val/'),
        metainfo=dict(classes=('disc', 'triangle', 'ring', 'cross')),
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
            dict(type='mmdet.PackDetInputs'),
        ],
    ),
)
