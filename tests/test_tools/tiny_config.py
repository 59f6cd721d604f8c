_base_ = 'mmpixcon::_base_/default_runtime.py'
default_scope = 'mmpixcon'
custom_imports = dict(imports=['tiny_parts'], allow_failed_imports=False)

model = dict(type='TinyLine')
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    dataset=dict(type='TinyPoints'),
    sampler=dict(type='InfiniteSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
)
train_cfg = dict(type='ResumableIterBasedTrainLoop', max_iters=4)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
auto_scale_lr = dict(enable=False, base_batch_size=8)
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(by_epoch=False, interval=2),
)
log_processor = dict(by_epoch=False)
