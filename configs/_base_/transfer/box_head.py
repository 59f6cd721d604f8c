# What a pretrained transformer's start is worth (table 5 of Siamese DETR): as
# linear_probe.py, but all of the head learns, classes and boxes; backbone, encoder and
# decoder stay as they were pretrained. Average recall at 1, 10 and 100 is reported too.
# With YOUR_CONFIG, a detection transformer on the new data:
#
#   _base_ = ['YOUR_CONFIG.py', 'mmpixcon::_base_/transfer/box_head.py']
#   model = dict(_delete_=True, **_base_.transfer_model, detector=_base_.model)
#   val_evaluator = test_evaluator = _base_.transfer_evaluator
#   custom_imports = _base_.transfer_imports
#   train_cfg = _base_.transfer_train_cfg
#   param_scheduler = _base_.transfer_param_scheduler
#   custom_hooks = _base_.transfer_hooks
#
# Without the lines of train_cfg and param_scheduler it lasts as YOUR_CONFIG does.
_base_ = 'fine_tune.py'
transfer_model = dict(type='mmpixcon.FrozenDetector', trainable=[r'^bbox_head\.'])
transfer_evaluator = dict(type='mmpixcon.CocoRecallMetric')
