# Fine-tuning of any detector: 12 epochs from a checkpoint of the same detector
# that was trained on other data, everything learns. With YOUR_CONFIG, a
# detector on the new data:
#
#   _base_ = ['YOUR_CONFIG.py', 'mmpixcon::_base_/transfer/fine_tune.py']
#   custom_imports = _base_.transfer_imports
#   train_cfg = _base_.transfer_train_cfg
#   param_scheduler = _base_.transfer_param_scheduler
#   custom_hooks = _base_.transfer_hooks
#
# Trained with --cfg-options load_from=CHECKPOINT, and refused without; by mim
# train mmpixcon, since mmdet's own tools do not know mmpixcon::. Class layers of
# another number of classes start anew; the log names them.
transfer_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)
transfer_epochs = 12
transfer_train_cfg = dict(
    _delete_=True, type='EpochBasedTrainLoop', max_epochs=transfer_epochs, val_interval=1
)
transfer_param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=transfer_epochs,
        by_epoch=True,
        milestones=[11],
        gamma=0.1,
    )
]
transfer_hooks = [
    dict(type='mmpixcon.PlainCheckpointHook'),
    dict(type='mmpixcon.FiniteLossHook'),
    dict(type='mmpixcon.RequireCheckpointHook'),
]
