# Faster R-CNN with pixel-level contrast on COCO: the
# paper's loss on a detector without a transformer encoder, which it leaves open.
# 4 GPUs x 4 images, the stock config's batch and learning rate.
_base_ = [
    'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    '../_base_/mmpixcon_runtime.py',
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

views = dict(**_base_.pixcon_views, detection=_base_.train_pipeline[2:])
train_pipeline = [*_base_.train_pipeline[:2], views]
train_dataloader = dict(
    batch_size=4, dataset=dict(type='mmpixcon.RobustCocoDataset', pipeline=train_pipeline)
)
val_dataloader = test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))

custom_hooks = [_base_.pixcon_hook, *_base_.custom_hooks]
