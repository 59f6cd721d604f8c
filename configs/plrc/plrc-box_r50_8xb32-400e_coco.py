# Regions are the annotated boxes: figure 6, for analysis.
_base_ = 'plrc_r50_8xb32-400e_coco.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmpixcon.RobustCocoDataset',
        data_root='data/coco/',
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017/'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=[
            _base_.plrc_pipeline[0],
            dict(type='mmdet.LoadAnnotations', with_bbox=True),
            dict(type='mmpixcon.BoxRegions'),
            *_base_.plrc_pipeline[2:],
        ],
    )
)
