# Schedules beyond the paper: beta grows over the first 5 epochs, the momentum goes to 1,
# so that the average settles at the end.
_base_ = '../pixcon_deformable-detr_r50_4xb3-50e_coco.py'
custom_hooks = [
    dict(
        type='mmpixcon.PixelContrastHook',
        beta=dict(start=0.0, end=1.0, stop=5),
        momentum=dict(start=0.99, end=1.0, stop=50, shape='cosine'),
    ),
    dict(type='mmpixcon.PlainCheckpointHook'),
    dict(type='mmpixcon.FiniteLossHook'),
]
