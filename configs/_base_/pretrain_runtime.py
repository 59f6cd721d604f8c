# What a pretraining run of mmpixcon adds to mmselfsup's default runtime.
_base_ = 'mmpixcon_runtime.py'
custom_hooks = [
    dict(type='mmpixcon.PlainCheckpointHook'),
    dict(type='mmpixcon.FiniteLossHook'),
    dict(type='mmpixcon.ContrastMonitorHook'),
]
