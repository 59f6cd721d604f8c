# The built-in scenes without their labels, for pretraining.
_base_ = 'unlabelled.py'

dataset_name = 'built-in scenes'
train_dataloader = dict(
    dataset=dict(
        data_root='data/scenes/',
        ann_file='annotations/train.json',
        data_prefix=dict(img_path='train/'),
    )
)

metainfo = dict(classes=('disc', 'triangle', 'ring', 'cross'))
# In the place of the dataset above, where regions are the annotated ones.
annotated_dataset = dict(
    _delete_=True,
    type='mmpixcon.RobustCocoDataset',
    data_root='data/scenes/',
    ann_file='annotations/train.json',
    data_prefix=dict(img='train/'),
    metainfo=metainfo,
    filter_cfg=dict(filter_empty_gt=True),
)
load_boxes = dict(type='mmdet.LoadAnnotations', with_bbox=True)
load_masks = dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True)
# The validation images with their masks, for hooks that measure features while pretraining.
annotated_images = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmdet.CocoDataset',
        data_root='data/scenes/',
        ann_file='annotations/val.json',
        data_prefix=dict(img='val/'),
        metainfo=metainfo,
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            load_masks,
            dict(type='mmdet.PackDetInputs'),
        ],
    ),
)
