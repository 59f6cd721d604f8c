# Pretraining of a detection transformer, compared: a small two-stage Deformable DETR on the
# built-in scenes, from a backbone of MoCo v2 alone, and with its transformer pretrained by UP-DETR,
# DETReg, Siamese DETR. Then AP over fine-tuning, and recall of the frozen transformer with
# trained heads, beside that of a random one. Data and proposals first:
#
#   python tools/dataset_converters/make_scenes.py
#   for METHOD in edge_boxes selective_search; do
#       python tools/dataset_converters/make_proposals.py data/scenes/train --method $METHOD \
#           --ann-file data/scenes/annotations/train.json --out data/scenes/proposals/$METHOD
#   done
from mmpixcon.recipes import pretrain_then, rows_of

seeds = (0, 1, 2)
data = dict(scenes='data/scenes/')

methods = {
    'UP-DETR': '../updetr/updetr_deformable-detr_r18_1xb8-50e_scenes.py',
    'DETReg': '../detreg/detreg_deformable-detr_r18_1xb8-50e_scenes.py',
    'Siamese DETR': '../siamese_detr/siamese-detr_deformable-detr_r18_1xb8-50e_scenes.py',
}
fine_tune = '../finetune/deformable-detr-pretrained_r18_1xb8-12e_scenes.py'
heads = '../transfer/deformable-detr_r18_box-head_1xb8-12e_scenes.py'
backbone = 'model.detector.backbone.init_cfg.checkpoint'
# 600 steps each, of 32 images for the backbone and of 8 for the transformer; 300 of heads.
backbone_epochs = {
    'train_cfg.max_epochs': 50,
    'param_scheduler.CosineAnnealingLR.T_max': 50,
    'param_scheduler.CosineAnnealingLR.end': 50,
}
short = {
    'train_cfg.max_epochs': 12,
    'param_scheduler.MultiStepLR.end': 12,
    'param_scheduler.MultiStepLR.milestones': [10],
}
once = {
    'train_cfg.max_epochs': 6,
    'train_cfg.val_interval': 6,
    'param_scheduler.MultiStepLR.end': 6,
    'param_scheduler.MultiStepLR.milestones': [5],
}
# AP over fine-tuning.
often = {'train_cfg.val_interval': 2}
# The checkpoint of a backbone is less than half of a detector.
less = {'custom_hooks.PlainCheckpointHook.min_loaded': 0.3}

from_scratch = dict(load_from='backbone')
pretrained = {name: dict(init=dict(load_from=name)) for name in methods}

stages = {
    'backbone': dict(
        config='../moco/mocov2_r18_1xb32-100e_scenes.py',
        data='scenes',
        seeds=(0,),
        options=backbone_epochs,
    )
}
for name, config in methods.items():
    stages[name] = dict(config=config, data='scenes', init={backbone: 'backbone'}, options=short)
stages['from scratch, fine-tuned'] = dict(
    config=fine_tune,
    data='scenes',
    init=from_scratch,
    options={**often, **less, 'custom_hooks.RequireCheckpointHook.whole': False},
)
stages['from scratch, heads'] = dict(
    config=heads,
    data='scenes',
    init=from_scratch,
    options={**once, **less, 'custom_hooks.RequireCheckpointHook.frozen_too': False},
)
for task, config, settings in (('fine-tuned', fine_tune, often), ('heads', heads, once)):
    stage = dict(config=config, data='scenes', options=settings)
    stages.update(pretrain_then(pretrained, {task: stage}))

tables = [
    dict(
        title='Two-stage Deformable DETR R18, built-in scenes',
        rows=rows_of(['from scratch', *methods], ['fine-tuned']),
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    ),
    dict(
        title='Frozen transformer, trained heads',
        rows=rows_of(['from scratch', *methods], ['heads']),
        metrics={
            'AR@100': 'coco/bbox_AR@100',
            'AR@10': 'coco/bbox_AR@10',
            'AR@1': 'coco/bbox_AR@1',
        },
    ),
]
