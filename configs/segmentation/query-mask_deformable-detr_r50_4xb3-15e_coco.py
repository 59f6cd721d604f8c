# Masks from the frozen weights of a trained Deformable DETR: the paper's head
# and loss, 15 epochs, 12 images on 4 GPUs. load_from names the detector:
#   --cfg-options load_from=CHECKPOINT
_base_ = [
    'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    '../_base_/mmpixcon_runtime.py',
]

detector = _base_.model
# All weights come from load_from.
detector.backbone.init_cfg = None
model = dict(
    _delete_=True,
    type='mmpixcon.QuerySegmentor',
    detector=detector,
    mask_head=dict(type='mmpixcon.QueryMaskHead'),
    # Strides 16, 8 and 4.
    fpn_from=('layer3', 'layer2', 'layer1'),
)

load_with_masks = dict(type='LoadAnnotations', with_bbox=True, with_mask=True)
train_pipeline = [_base_.train_pipeline[0], load_with_masks, *_base_.train_pipeline[2:]]
train_dataloader = dict(
    batch_size=3, dataset=dict(type='mmpixcon.RobustCocoDataset', pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
test_dataloader = dict(dataset=dict(type='mmpixcon.RobustCocoDataset'))
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = dict(metric=['bbox', 'segm'])

# On random frozen weights it would run as well, for nothing.
custom_hooks = [dict(type='mmpixcon.RequireCheckpointHook'), *_base_.custom_hooks]

max_epochs = 15
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=max_epochs, by_epoch=True, milestones=[10], gamma=0.1)
]

# 4 GPUs x 3 images
auto_scale_lr = dict(base_batch_size=12)
