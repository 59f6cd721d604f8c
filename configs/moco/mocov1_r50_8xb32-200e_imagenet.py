# MoCo v1 on ImageNet, 200 epochs ("Momentum Contrast for Unsupervised Visual Representation
# Learning", arXiv:1911.05722): mmselfsup's settings on mmpixcon's core and views.
_base_ = [
    'mmselfsup::selfsup/mocov1/mocov1_resnet50_8xb32-steplr-200e_in1k.py',
    '../_base_/views/mocov2.py',
    '../_base_/pretrain_runtime.py',
]

model = dict(
    _delete_=True,
    type='mmpixcon.MoCo',
    backbone=_base_.model.backbone,
    neck=_base_.model.neck,
    loss=dict(type='mmpixcon.InfoNCELoss', temperature=0.07),
    queue_len=65536,
    momentum=0.999,
    data_preprocessor=_base_.model.data_preprocessor,
)

# No blur, and each image is jittered, in hue four times as much as in version 2.
mocov1_view = [
    _base_.mocov2_crop,
    dict(type='mmpixcon.RandomGrayscale', prob=0.2),
    dict(
        type='mmpixcon.ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.4, prob=1.0
    ),
]
contrast_views = dict(_base_.contrast_views, views=[mocov1_view, mocov1_view])
pipeline = [_base_.read_image, contrast_views, _base_.pack_views]
train_dataloader = dict(
    # Anew: what a config inherits from mmselfsup:: names its scope in every dict, which
    # this function does not take.
    collate_fn=dict(_delete_=True, type='default_collate'),
    dataset=dict(
        _delete_=True,
        type='mmpixcon.UnlabelledDataset',
        data_root='data/imagenet/',
        data_prefix=dict(img_path='train/'),
        pipeline=pipeline,
    ),
)

# 8 GPUs x 32 images
auto_scale_lr = dict(base_batch_size=256)
