# Fine-tuning whole detection transformers as Siamese DETR's paper does, 32 images a step:
# its hooks, and pieces, named detr_*, that a config assigns. Trained with --cfg-options
# load_from=CHECKPOINT, and refused without: see configs/finetune/DETR.md.
custom_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)
custom_hooks = [
    dict(type='mmpixcon.PlainCheckpointHook'),
    dict(type='mmpixcon.FiniteLossHook'),
    dict(type='mmpixcon.RequireCheckpointHook', whole=True),
]
# The checkpoint has a backbone: nothing is to be downloaded for it before.
detr_model = dict(backbone=dict(init_cfg=None))
# 8 GPUs x 4 images
detr_loader = dict(batch_size=4)
detr_auto_scale_lr = dict(base_batch_size=32)
# 1e-4, and 5e-5 for the backbone; Deformable DETR keeps mmdet's 2e-4 and 2e-5.
detr_optim_wrapper = dict(
    optimizer=dict(lr=1e-4), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.5)))
)
# The small ones have live batch norm and one rate, for learning from scratch. Here the backbone stays in
# the state that the pretraining had it in, frozen batch norm, and is slower, as at full size: else
# the pretrained transformer sees other features from the first step on.
small_backbone = dict(norm_cfg=dict(type='BN', requires_grad=False), norm_eval=True)
small_detr_optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.5))))
small_deformable_optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
)
detr_50e = dict(
    train_cfg=dict(max_epochs=50),
    param_scheduler=[
        dict(type='MultiStepLR', begin=0, end=50, by_epoch=True, milestones=[40], gamma=0.1)
    ],
)
detr_150e = dict(
    train_cfg=dict(max_epochs=150),
    param_scheduler=[
        dict(type='MultiStepLR', begin=0, end=150, by_epoch=True, milestones=[120], gamma=0.1)
    ],
)
