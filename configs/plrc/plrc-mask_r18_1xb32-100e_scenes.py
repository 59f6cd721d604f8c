# Regions are the annotated masks: as in figure 6, for analysis.
_base_ = 'plrc_r18_1xb32-100e_scenes.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmpixcon.RobustCocoDataset',
        data_root='data/scenes/',
        ann_file='annotations/train.json',
        data_prefix=dict(img='train/'),
        metainfo=dict(classes=('disc', 'triangle', 'ring', 'cross')),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=[
            _base_.plrc_pipeline[0],
            dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
            dict(type='mmpixcon.MaskRegions'),
            *_base_.plrc_pipeline[2:],
        ],
    )
)
