# L_Cos's weight grows from 0 to 1 over the run.
_base_ = 'pixcon-finest-level_deformable-detr_r18_1xb8-12e_scenes.py'
custom_hooks = [
    dict(type='mmpixcon.PixelContrastHook', beta=dict(start=0.0, end=1.0, stop=12)),
    dict(type='mmpixcon.PlainCheckpointHook'),
    dict(type='mmpixcon.FiniteLossHook'),
]
