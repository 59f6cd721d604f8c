# Pretraining small detection transformers, for a laptop: the small backbone of
# pretrain_r18.py, frozen, and a short schedule. Pieces, named small_*.
small_region_channels = 32
small_region_optim_wrapper = dict(optimizer=dict(lr=4e-4))
small_region_train_cfg = dict(max_epochs=50)
small_region_param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=50, milestones=[40], gamma=0.1),
]
small_region_auto_scale_lr = dict(base_batch_size=8)
