# Barlow Twins for detection, 150 epochs: mmselfsup's, with a head that is exact with any
# number of processes, LARS as its authors use it, and views and projector of
# "Self-supervised learning for Object Detection".
_base_ = [
    'mmselfsup::selfsup/barlowtwins/barlowtwins_resnet50_8xb256-coslr-300e_in1k.py',
    '../_base_/views/byol.py',
    '../_base_/pretrain_runtime.py',
]

model = dict(
    data_preprocessor=_base_.detection_data_preprocessor,
    neck=dict(hid_channels=2048, out_channels=2048),
    head=dict(_delete_=True, type='mmpixcon.CrossCorrelationHead', lambd=0.0051),
)

pipeline = [_base_.read_image, _base_.contrast_views, _base_.pack_views]
train_dataloader = dict(
    # Anew: what a config inherits from mmselfsup:: names its scope in every dict, which
    # this function does not take.
    collate_fn=dict(_delete_=True, type='default_collate'),
    # The last batch of an epoch may be a single image, which has no statistics.
    drop_last=True,
    dataset=dict(
        _delete_=True,
        type='mmpixcon.UnlabelledDataset',
        data_root='data/imagenet/',
        data_prefix=dict(img_path='train/'),
        pipeline=pipeline,
    ),
)

# Weights 1.6, biases and norms 0.0384, of 2048 images a step.
slow = dict(lr_mult=0.024, decay_mult=0.0)
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='mmpixcon.LARS', lr=1.6, momentum=0.9, weight_decay=1e-6, eta=0.001
    ),
    paramwise_cfg=dict(
        _delete_=True,
        custom_keys={'bn': slow, 'norm': slow, 'bias': slow, 'downsample.1': slow},
    ),
)
max_epochs = 150
train_cfg = dict(max_epochs=max_epochs)
warm_up = dict(
    type='LinearLR',
    start_factor=1e-4,
    by_epoch=True,
    begin=0,
    end=10,
    convert_to_iter_based=True,
)
cosine = dict(
    type='CosineAnnealingLR',
    T_max=max_epochs - 10,
    eta_min_ratio=0.001,
    by_epoch=True,
    begin=10,
    end=max_epochs,
    convert_to_iter_based=True,
)
param_scheduler = [warm_up, cosine]
custom_hooks = [*_base_.custom_hooks, dict(type='mmpixcon.EmbeddingMonitorHook', module='head')]

# 8 GPUs x 256 images
auto_scale_lr = dict(base_batch_size=2048)
