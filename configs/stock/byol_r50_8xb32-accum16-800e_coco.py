# BYOL on COCO, 800 epochs ("Bootstrap Your Own Latent", arXiv:2006.07733): mmselfsup's model and
# settings, our views and images. PLRC's table 2 has its numbers from Self-EMD, whose settings it
# does not state; these are BYOL's of ImageNet, 4096 images a step.
_base_ = [
    'mmselfsup::selfsup/byol/byol_resnet50_8xb32-accum16-coslr-200e_in1k.py',
    '../_base_/views/byol.py',
    '../_base_/pretrain_runtime.py',
]

byol_crop = dict(_base_.byol_crop, crop_ratio_range=(0.08, 1.0))
contrast_views = dict(
    _base_.contrast_views,
    views=[[byol_crop, *_base_.byol_color1], [byol_crop, *_base_.byol_color2]],
)
pipeline = [_base_.read_image, contrast_views, _base_.pack_views]
train_dataloader = dict(
    # Anew: what a config inherits from mmselfsup:: names its scope in every dict, which
    # this function does not take.
    collate_fn=dict(_delete_=True, type='default_collate'),
    # The last batch of an epoch may be a single image, which has no statistics.
    drop_last=True,
    dataset=dict(
        _delete_=True,
        type='mmpixcon.UnlabelledDataset',
        data_root='data/coco/',
        data_prefix=dict(img_path='train2017/'),
        pipeline=pipeline,
    ),
)

max_epochs = 800
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

# 8 GPUs x 32 images x 16 batches
auto_scale_lr = dict(base_batch_size=4096)
