# PixCon on the small Deformable DETR.
_base_ = [
    '../_base_/models/deformable-detr_r18.py',
    '../_base_/datasets/scenes.py',
    '../_base_/pixcon.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(_delete_=True, **_base_.pixcon_model, detector=_base_.model)
model['detector'].bbox_head.num_classes = _base_.num_classes
pipeline = [_base_.load_image, _base_.load_annotations, _base_.views]
train_dataloader = dict(
    dataset=dict(
        type='mmpixcon.RobustCocoDataset', pipeline=pipeline, filter_cfg=dict(filter_empty_gt=False)
    )
)
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
