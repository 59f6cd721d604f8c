# Masks from the frozen weights of a trained detector, the paper's head and loss: what a run adds to
# mmdet's default runtime, and pieces, named query_mask_*, that a config puts around the detector.
query_mask_model = dict(
    type='mmpixcon.QuerySegmentor',
    mask_head=dict(type='mmpixcon.QueryMaskHead'),
    # Strides 16, 8 and 4.
    fpn_from=('layer3', 'layer2', 'layer1'),
)
query_mask_load = dict(type='LoadAnnotations', with_bbox=True, with_mask=True)
query_mask_evaluator = dict(metric=['bbox', 'segm'])
query_mask_steps = dict(type='MultiStepLR', begin=0, by_epoch=True, gamma=0.1)

custom_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)
custom_hooks = [
    # On random frozen weights it would run as well, for nothing.
    dict(type='mmpixcon.RequireCheckpointHook'),
    dict(type='mmpixcon.PlainCheckpointHook'),
    dict(type='mmpixcon.FiniteLossHook'),
]
