# Regions are the annotated boxes: as in figure 6, for analysis.
_base_ = '../plrc_r18_1xb32-100e_scenes.py'
pipeline = [
    _base_.read_image,
    _base_.load_boxes,
    dict(type='mmpixcon.BoxRegions'),
    _base_.contrast_views,
    _base_.pack_views,
]
train_dataloader = dict(dataset=dict(_base_.annotated_dataset, pipeline=pipeline))
