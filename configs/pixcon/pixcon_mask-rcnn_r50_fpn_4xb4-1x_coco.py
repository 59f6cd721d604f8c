# Mask R-CNN with pixel-level contrast on COCO: the paper's loss on a detector without a
# transformer encoder, which it leaves open. 4 GPUs x 4 images, the stock batch and rate.
_base_ = [
    'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    '../_base_/pixcon.py',
]
dataset_name = 'COCO'

model = dict(
    _base_.pixcon_model,
    _delete_=True,
    detector=_base_.model,
    # P5, the coarsest level of its own: P6 is P5, subsampled.
    levels=(3,),
    predictor=_base_.pixcon_predictor,
)

load = [step for step in _base_.train_pipeline if step.type.startswith('Load')]
augment = [step for step in _base_.train_pipeline if not step.type.startswith('Load')]
train_pipeline = [*load, dict(**_base_.pixcon_views, detection=augment)]
train_dataloader = dict(
    batch_size=4, dataset=dict(type='mmpixcon.RobustCocoDataset', pipeline=train_pipeline)
)
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
