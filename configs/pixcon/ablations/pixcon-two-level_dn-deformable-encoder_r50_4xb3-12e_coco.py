# DN-Deformable-DETR with L_Cos on two levels, 12 epochs: "ours+" in table 1 of the paper.
_base_ = '../pixcon_dn-deformable-encoder_r50_4xb3-50e_coco.py'
# "Different thresholds" there, without numbers. Here half the divisor for half the
# cells a side: about as many positives for an anchor on either level.
model = dict(levels=(-2, -1), S=(18.0, 9.0))

max_epochs = 12
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=max_epochs, by_epoch=True, milestones=[11], gamma=0.1)
]
