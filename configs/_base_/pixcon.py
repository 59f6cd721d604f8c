# PixCon beside a detector: pieces, named pixcon_*. A config of a detector puts them around it:
#
#   _base_ = ['YOUR_CONFIG.py', MMPIXCON_RUNTIME, THIS_FILE]
#   model = dict(_delete_=True, **_base_.pixcon_model, detector=_base_.model)
#   views = dict(**_base_.pixcon_views, detection=_base_.train_pipeline[2:])
#   train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_pipeline[:2], views]))
#   custom_hooks = [_base_.pixcon_hook, *_base_.custom_hooks]
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
# [:2] of a stock pipeline loads the image and its boxes; [2:] makes the detection view.
pixcon_views = dict(
    type='mmpixcon.PixelContrastViews',
    momentum=dict(type='mmpixcon.MomentumView', scale=(640, 640)),
)
pixcon_hook = dict(type='mmpixcon.PixelContrastHook')
