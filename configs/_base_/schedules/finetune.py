# Iteration schedules of fine-tuning, 16 images a step (8 GPUs x 2): pieces, named
# finetune_*, that a config assigns. The rate falls to a tenth after 2/3 and 8/9 of the
# iterations, as detectron2's 1x and 2x do (60k and 80k of 90k, 120k and 160k of 180k); of 12k
# iterations after 9k and 11k, as in DetCo's release.
finetune_imports = dict(
    # The second registers the C4 head's extra norm; it needs the first.
    imports=['mmpixcon', 'mmselfsup.models.utils.res_layer_extra_norm'],
    allow_failed_imports=False,
)
finetune_hooks = [
    dict(type='mmpixcon.PlainCheckpointHook'),
    dict(type='mmpixcon.FiniteLossHook'),
]
finetune_loader = dict(sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True))
# detectron2 does not decay norm layers.
finetune_optim_wrapper = dict(paramwise_cfg=dict(norm_decay_mult=0.0))
finetune_log_processor = dict(by_epoch=False)
finetune_default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000, max_keep_ckpts=3))


def iterations(number, val_interval, milestones, warm_up):
    """A run of so many iterations, evaluated and slowed down at some."""
    return dict(
        train_cfg=dict(
            _delete_=True,
            type='mmpixcon.ResumableIterBasedTrainLoop',
            max_iters=number,
            val_interval=val_interval,
        ),
        param_scheduler=[
            dict(type='LinearLR', by_epoch=False, begin=0, **warm_up),
            dict(type='MultiStepLR', by_epoch=False, begin=0, end=number, milestones=milestones),
        ],
    )


slow_start = dict(start_factor=0.001, end=1000)
finetune_12k = iterations(12000, 12000, [9000, 11000], slow_start)
finetune_24k = iterations(24000, 4000, [18000, 22000], dict(start_factor=0.001, end=100))
finetune_90k = iterations(90000, 15000, [60000, 80000], slow_start)
finetune_180k = iterations(180000, 30000, [120000, 160000], slow_start)
# For a laptop.
finetune_200 = dict(
    iterations(200, 200, [160], dict(start_factor=0.1, end=20)),
    default_hooks=dict(
        checkpoint=dict(by_epoch=False, interval=100, max_keep_ckpts=1),
        logger=dict(interval=20),
    ),
)
# Detection transformers for a laptop by the recipe of "Self-supervised learning for Object
# Detection", section 2: Adam, one rate for all parts, no clipping, 20 epochs at 1e-4, 20 at 5e-5.
finetune_adam = dict(
    train_cfg=dict(max_epochs=40, val_interval=40),
    optim_wrapper=dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4)),
    param_scheduler=[
        dict(type='MultiStepLR', by_epoch=True, begin=0, end=40, milestones=[20], gamma=0.5)
    ],
)
finetune_adam_backbone = dict(
    init_cfg=dict(_delete_=True, type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.')
)
