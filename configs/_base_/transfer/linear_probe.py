# Linear probe of any detector: as fine_tune.py, but only the layers that give
# class scores learn. One line more:
#
#   _base_ = ['YOUR_CONFIG.py', 'mmpixcon::_base_/transfer/linear_probe.py']
#   model = dict(_delete_=True, **_base_.transfer_model, detector=_base_.model)
#   custom_imports = _base_.transfer_imports
#   train_cfg = _base_.transfer_train_cfg
#   param_scheduler = _base_.transfer_param_scheduler
#   custom_hooks = _base_.transfer_hooks
#
# Where other layers depend on the number of classes too, as Faster R-CNN's boxes,
# the run stops and names them; trainable=[...] in model lets them learn.
_base_ = 'fine_tune.py'
transfer_model = dict(type='mmpixcon.FrozenDetector')
