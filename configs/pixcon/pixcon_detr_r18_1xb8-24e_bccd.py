# PixCon on the small DETR.
_base_ = [
    '../_base_/models/detr_r18.py',
    '../_base_/datasets/bccd.py',
    '../_base_/pixcon.py',
    'mmdet::_base_/default_runtime.py',
]
# Few cells lie far apart: a wider threshold, so that anchors have positives.
model = dict(_base_.pixcon_model, _delete_=True, detector=_base_.model, S=4.0)
model['detector'].bbox_head.num_classes = _base_.num_classes
pipeline = [_base_.load_image, _base_.load_annotations, _base_.views]
train_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset', pipeline=pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
