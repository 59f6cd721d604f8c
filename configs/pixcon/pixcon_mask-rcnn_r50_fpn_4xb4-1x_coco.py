# Mask R-CNN with pixel-level contrast on COCO: the paper's loss on a detector without a
# transformer encoder, which it leaves open. 4 GPUs x 4 images, the stock batch and rate.
_base_ = ['mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', '../_base_/mmpixcon_runtime.py']

detector = _base_.model
model = dict(
    _delete_=True,
    type='mmpixcon.PixelContrastDetector',
    detector=detector,
    # P5, the coarsest level of its own: P6 is P5, subsampled.
    levels=(3,),
    S=9.0,
    alpha=0.0,
    beta=1.0,
    momentum=0.99,
    # No transformer encoder: gamma = predictor(Gamma), so that L_Cos cannot collapse.
    predictor=dict(type='mmpixcon.PixelPredictor'),
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
    batch_size=4, dataset=dict(type='mmpixcon.RobustCocoDataset', pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))

custom_hooks = [dict(type='mmpixcon.PixelContrastHook'), *_base_.custom_hooks]
