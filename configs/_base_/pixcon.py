# PixCon beside a detector: what a run adds to mmdet's default runtime, and pieces, named pixcon_*,
# that a config of a detector puts around it:
#
#   _base_ = ['YOUR_CONFIG.py', THIS_FILE]
#   model = dict(_delete_=True, **_base_.pixcon_model, detector=_base_.model)
#   load = [step for step in _base_.train_pipeline if step.type.startswith('Load')]
#   augment = [step for step in _base_.train_pipeline if not step.type.startswith('Load')]
#   views = dict(**_base_.pixcon_views, detection=augment)
#   train_dataloader = dict(dataset=dict(pipeline=[*load, views]))
#
# dict(_base_.pixcon_model, ...) in place of the ** changes one of its settings.

# The paper's best setting of its table 1 (alpha = 0, beta = 1), on the coarsest level.
pixcon_model = dict(
    type='mmpixcon.PixelContrastDetector',
    levels=(-1,),
    S=9.0,
    alpha=0.0,
    beta=1.0,
    momentum=0.99,
)
# Without a transformer encoder: gamma = predictor(Gamma), so that L_Cos cannot collapse.
pixcon_predictor = dict(type='mmpixcon.PixelPredictor')
# What loads the image and its boxes comes before; what augments them makes the detection view.
pixcon_views = dict(
    type='mmpixcon.PixelContrastViews',
    momentum=dict(
        type='mmpixcon.MomentumView',
        scale=(640, 640),
        interpolation='bicubic',
        backend='torch',
    ),
)

custom_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)
custom_hooks = [
    dict(type='mmpixcon.PixelContrastHook'),
    dict(type='mmpixcon.PlainCheckpointHook'),
    dict(type='mmpixcon.FiniteLossHook'),
]
