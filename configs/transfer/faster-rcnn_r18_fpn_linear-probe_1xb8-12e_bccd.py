# Linear probe on BCCD: --cfg-options load_from=CHECKPOINT of the small Faster R-CNN
# trained on the built-in scenes, with PixCon or without. The layer of the boxes learns
# too: it has outputs for each class, and the classes are others.
_base_ = [
    '../_base_/models/faster-rcnn_r18_fpn.py',
    '../_base_/datasets/bccd.py',
    '../_base_/transfer/linear_probe.py',
    'mmdet::_base_/default_runtime.py',
]
model = dict(
    _delete_=True,
    **_base_.transfer_model,
    detector=_base_.model,
    trainable=[r'bbox_head\.fc_cls', r'bbox_head\.fc_reg'],
)
model['detector'].roi_head.bbox_head.num_classes = _base_.num_classes
custom_imports = _base_.transfer_imports
train_cfg = _base_.transfer_train_cfg
param_scheduler = _base_.transfer_param_scheduler
custom_hooks = _base_.transfer_hooks
