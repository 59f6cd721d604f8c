# What a run of mmpixcon adds to mmdet's default runtime. It shares no key with
# it, so that a config lists both: _base_ = ['mmdet::...', this file].
custom_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)
custom_hooks = [
    dict(type='mmpixcon.PlainCheckpointHook'),
    dict(type='mmpixcon.FiniteLossHook'),
]
