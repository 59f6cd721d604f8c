# FCN-16s R50 on Cityscapes, 90k iterations, as MoCo fine-tunes it (its appendix, A.9) and PLRC
# after it: two 3 x 3 convolutions of dilation 6, crops of 769. Needs mmsegmentation:
# pip install 'mmpixcon[segmentation]'.
_base_ = [
    'mmseg::fcn/fcn-d6_r50-d16_4xb2-80k_cityscapes-769x769.py',
    '../_base_/mmpixcon_runtime.py',
]
dataset_name = 'Cityscapes'
model = dict(
    pretrained=None,
    # --cfg-options model.backbone.init_cfg.checkpoint=PATH names the pretrained weights.
    backbone=dict(
        type='ResNet',
        # All of the last stage at dilation 2.
        contract_dilation=False,
        init_cfg=dict(type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.'),
    ),
    decode_head=dict(channels=256, concat_input=False, dropout_ratio=0.0),
    auxiliary_head=None,
    # On the whole image.
    test_cfg=dict(_delete_=True, mode='whole'),
)

optim_wrapper = dict(optimizer=dict(lr=0.01, weight_decay=1e-4))
# Falls to a tenth after 70 and 90 % of the iterations.
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, begin=0, end=90000, milestones=[63000, 81000])
]
train_cfg = dict(
    _delete_=True,
    type='mmpixcon.ResumableIterBasedTrainLoop',
    max_iters=90000,
    val_interval=15000,
)
default_hooks = dict(checkpoint=dict(interval=5000, max_keep_ckpts=3))
# 8 GPUs x 2 images
auto_scale_lr = dict(base_batch_size=16)
