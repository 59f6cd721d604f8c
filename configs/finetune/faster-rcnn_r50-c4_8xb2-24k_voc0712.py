# Faster R-CNN R50-C4 on VOC 07+12, 24k iterations, COCO-style AP on VOC 07 test: the
# fine-tuning of MoCo and of DetCo.
_base_ = [
    'mmselfsup::benchmarks/mmdetection/voc0712/faster-rcnn_r50-c4_ms-24k_voc0712.py',
    '../_base_/datasets/voc0712.py',
    '../_base_/schedules/finetune.py',
]
dataset_name = _base_.voc_dataset_name
# --cfg-options model.backbone.init_cfg.checkpoint=PATH names the pretrained weights.
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.'))
)

voc07, voc12 = _base_.train_dataloader.dataset.datasets
voc = dict(_base_.voc_data, _delete_=True, type='CocoDataset')
train_dataloader = dict(
    _base_.finetune_loader,
    dataset=dict(
        voc,
        ann_file=_base_.voc_train_data.ann_file,
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=voc07.pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        voc,
        ann_file=_base_.voc_val_data.ann_file,
        test_mode=True,
        pipeline=_base_.val_dataloader.dataset.pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='CocoMetric',
    ann_file=_base_.voc_evaluator.ann_file,
    metric='bbox',
)
test_evaluator = val_evaluator
optim_wrapper = _base_.finetune_optim_wrapper
train_cfg = _base_.finetune_24k.train_cfg
param_scheduler = _base_.finetune_24k.param_scheduler
default_hooks = _base_.finetune_default_hooks
log_processor = _base_.finetune_log_processor
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
