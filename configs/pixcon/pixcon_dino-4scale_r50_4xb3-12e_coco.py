# DINO with pixel-level contrast on COCO: the paper's loss (alpha = 0, beta = 1) on
# the coarsest level. 12 images on 4 GPUs, as in the paper.
_base_ = ['mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py', '../_base_/mmpixcon_runtime.py']

detector = _base_.model
model = dict(
    _delete_=True,
    type='mmpixcon.PixelContrastDetector',
    detector=detector,
    levels=(-1,),
    S=9.0,
    alpha=0.0,
    beta=1.0,
    momentum=0.99,
)

train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(
        type='mmpixcon.PixelContrastViews',
        detection=_base_.train_pipeline[2:],
        momentum=dict(type='mmpixcon.MomentumView', scale=(640, 640)),
    ),
]
train_dataloader = dict(
    batch_size=3, dataset=dict(type='mmpixcon.RobustCocoDataset', pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))

custom_hooks = [dict(type='mmpixcon.PixelContrastHook'), *_base_.custom_hooks]

# 4 GPUs x 3 images
auto_scale_lr = dict(base_batch_size=12)
