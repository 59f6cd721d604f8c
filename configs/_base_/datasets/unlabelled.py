# What pretraining on a small data set without its labels shares. Pieces, named small_*.
small_train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    dataset=dict(_delete_=True, type='mmpixcon.UnlabelledDataset'),
)
small_train_cfg = dict(max_epochs=100)
small_param_scheduler = [dict(type='CosineAnnealingLR', T_max=100, by_epoch=True, begin=0, end=100)]
small_auto_scale_lr = dict(base_batch_size=32)
