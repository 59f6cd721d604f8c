# DN-Deformable-DETR, the short schedule: 12 epochs, a tenth of the rate at 11.
_base_ = 'dn-deformable-encoder_r50_4xb3-50e_coco.py'
max_epochs = 12
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=max_epochs, by_epoch=True, milestones=[11], gamma=0.1)
]
