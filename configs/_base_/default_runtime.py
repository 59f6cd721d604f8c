_base_ = 'mmdet::_base_/default_runtime.py'

# Unprefixed names are looked up in mmpixcon, then in mmdet, then in mmengine.
custom_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)

default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(interval=1, max_keep_ckpts=3),
)
custom_hooks = [
    dict(type='mmpixcon.PlainCheckpointHook', min_loaded=0.5),
    dict(type='mmpixcon.FiniteLossHook'),
]
