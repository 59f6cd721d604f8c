# PLRC on COCO train2017 without its labels, 800 epochs of COCO.
_base_ = 'plrc_r50_8xb32-200e_imagenet.py'

train_dataloader = dict(
    dataset=dict(
        data_root='data/coco/',
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(_delete_=True, img_path='train2017/'),
    )
)

max_epochs = 800
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, begin=0, end=max_epochs)
]
