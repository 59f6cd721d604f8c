# SimCLR on ImageNet, 1000 epochs ("A Simple Framework for Contrastive Learning of Visual
# Representations", arXiv:2002.05709): mmselfsup's model and settings, our views and images.
_base_ = [
    'mmselfsup::selfsup/simclr/simclr_resnet50_16xb256-coslr-200e_in1k.py',
    '../_base_/views/mocov2.py',
    '../_base_/pretrain_runtime.py',
]

simclr_view = [
    dict(_base_.mocov2_crop, crop_ratio_range=(0.08, 1.0)),
    dict(type='mmpixcon.ColorJitter', brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2),
    dict(type='mmpixcon.RandomGrayscale', prob=0.2),
    dict(type='mmpixcon.RandomGaussianBlur', sigma=(0.1, 2.0), prob=0.5),
]
contrast_views = dict(_base_.contrast_views, views=[simclr_view, simclr_view])
pipeline = [_base_.read_image, contrast_views, _base_.pack_views]
train_dataloader = dict(
    # Anew: what a config inherits from mmselfsup:: names its scope in every dict, which
    # this function does not take.
    collate_fn=dict(_delete_=True, type='default_collate'),
    # Its loss gathers the vectors of all processes, which must be as many.
    drop_last=True,
    dataset=dict(
        _delete_=True,
        type='mmpixcon.UnlabelledDataset',
        data_root='data/imagenet/',
        data_prefix=dict(img_path='train/'),
        pipeline=pipeline,
    ),
)

max_epochs = 1000
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
    by_epoch=True,
    begin=10,
    end=max_epochs,
    convert_to_iter_based=True,
)
param_scheduler = [warm_up, cosine]

# 16 GPUs x 256 images
auto_scale_lr = dict(base_batch_size=4096)
