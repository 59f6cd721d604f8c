# Pretraining on a small data set without its labels, 100 epochs: all but the model and the
# images, which unlabelled_scenes.py and unlabelled_bccd.py name.
view_size = 96
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    # The last batch of an epoch may be a single image, which has no statistics.
    drop_last=True,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='mmpixcon.UnlabelledDataset'),
)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, weight_decay=1e-4, momentum=0.9)
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=100, by_epoch=True, begin=0, end=100)]
auto_scale_lr = dict(base_batch_size=32)

# mmselfsup's default runtime, and what mmpixcon adds to it.
default_scope = 'mmselfsup'
custom_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)
custom_hooks = [
    dict(type='mmpixcon.PlainCheckpointHook'),
    dict(type='mmpixcon.FiniteLossHook'),
    dict(type='mmpixcon.ContrastMonitorHook'),
]
default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=10, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
log_processor = dict(
    window_size=10, custom_cfg=[dict(data_src='', method='mean', window_size='global')]
)
visualizer = dict(
    type='mmselfsup.SelfSupVisualizer',
    vis_backends=[dict(type='LocalVisBackend')],
    name='visualizer',
)
log_level = 'INFO'
load_from = None
resume = False
