# DetCo on ImageNet, 200 epochs: MoCo v2's settings, twice its rate, contrast on four
# stages, of whole images and of patches.
_base_ = [
    'mmselfsup::selfsup/mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k.py',
    '../_base_/views/detco.py',
    '../_base_/pretrain_runtime.py',
]

model = dict(
    _delete_=True,
    type='mmpixcon.DetCo',
    # res2 to res5.
    backbone=dict(_base_.model.backbone, out_indices=(1, 2, 3, 4)),
    head=dict(
        type='mmpixcon.MultiLevelContrastHead',
        in_channels=[256, 512, 1024, 2048],
        weights=(0.1, 0.4, 0.7, 1.0),
        temperatures=dict(gg=0.2, gl=0.5, ll=0.2),
        hidden_channels=2048,
        out_channels=128,
        num_patches=9,
        queue_len=65536,
    ),
    momentum=0.999,
    data_preprocessor=dict(_base_.model.data_preprocessor, bgr_to_rgb=False),
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

optim_wrapper = dict(optimizer=dict(lr=0.06))

# 8 GPUs x 32 images
auto_scale_lr = dict(base_batch_size=256)
