# Regions are the annotated masks: figure 6, for analysis.
_base_ = '../plrc_r50_8xb32-400e_coco.py'

pipeline = [
    _base_.read_image,
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='mmpixcon.MaskRegions'),
    _base_.contrast_views,
    _base_.pack_views,
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmpixcon.RobustCocoDataset',
        data_root='data/coco/',
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017/'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=pipeline,
    )
)
