# Faster R-CNN R50-C4 on VOC 07+12, 24k iterations, COCO-style AP on VOC 07 test: the
# fine-tuning of MoCo and of DetCo. Annotations in COCO's format, by mmdet's converter:
#   mim run mmdet pascal_voc data/VOCdevkit -o data/VOCdevkit/annotations --out-format coco
_base_ = [
    'mmselfsup::benchmarks/mmdetection/voc0712/faster-rcnn_r50-c4_ms-24k_voc0712.py',
    '../_base_/schedules/finetune.py',
]
# --cfg-options model.backbone.init_cfg.checkpoint=PATH names the pretrained weights.
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.'))
)

voc = dict(
    _delete_=True,
    type='CocoDataset',
    data_root='data/VOCdevkit/',
    data_prefix=dict(img=''),
    metainfo=dict(
        classes=(
            'aeroplane',
            'bicycle',
            'bird',
            'boat',
            'bottle',
            'bus',
            'car',
            'cat',
            'chair',
            'cow',
            'diningtable',
            'dog',
            'horse',
            'motorbike',
            'person',
            'pottedplant',
            'sheep',
            'sofa',
            'train',
            'tvmonitor',
        )
    ),
)
train_dataloader = dict(
    _base_.finetune_loader,
    dataset=dict(
        voc,
        ann_file='annotations/voc0712_trainval.json',
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=_base_.train_dataloader.dataset.datasets[0].pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        voc,
        ann_file='annotations/voc07_test.json',
        test_mode=True,
        pipeline=_base_.val_dataloader.dataset.pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='CocoMetric',
    ann_file='data/VOCdevkit/annotations/voc07_test.json',
    metric='bbox',
)
test_evaluator = val_evaluator
train_cfg = _base_.finetune_24k.train_cfg
param_scheduler = _base_.finetune_24k.param_scheduler
default_hooks = _base_.finetune_default_hooks
log_processor = _base_.finetune_log_processor
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
