# MoCo v2 on ImageNet, 200 epochs: mmselfsup's settings on mmpixcon's core and views.
_base_ = [
    'mmselfsup::selfsup/mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k.py',
    '../_base_/views/mocov2.py',
    '../_base_/pretrain_runtime.py',
]

model = dict(
    _delete_=True,
    type='mmpixcon.MoCo',
    backbone=_base_.model.backbone,
    neck=_base_.model.neck,
    loss=dict(type='mmpixcon.InfoNCELoss', temperature=0.2),
    queue_len=65536,
    momentum=0.999,
    data_preprocessor=_base_.model.data_preprocessor,
)

pipeline = [_base_.read_image, _base_.contrast_views, _base_.pack_views]
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
