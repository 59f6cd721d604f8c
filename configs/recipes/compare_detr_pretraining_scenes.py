# Pretraining of a detection transformer, compared: a small two-stage Deformable DETR on the
# built-in scenes, from a backbone of MoCo v2 alone, and with its transformer pretrained by UP-DETR,
# DETReg, Siamese DETR. Then AP over fine-tuning, and recall of the frozen transformer with
# trained heads. Data and proposals first:
#
#   python tools/dataset_converters/make_scenes.py
#   for METHOD in edge_boxes selective_search; do
#       python tools/dataset_converters/make_proposals.py data/scenes/train --method $METHOD \
#           --ann-file data/scenes/annotations/train.json --out data/scenes/proposals/$METHOD
#   done
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
# The checkpoint of a backbone is less than half of a detector.
less = {'custom_hooks.0.min_loaded': 0.3, 'custom_hooks.1.whole': False}

stages = {
    'backbone': dict(config='../moco/mocov2_r18_1xb32-100e_scenes.py', data='scenes', seeds=(0,)),
    **{
        name: dict(config=config, data='scenes', init={backbone: 'backbone'})
        for name, config in methods.items()
    },
    'from scratch, fine-tuned': dict(
        config=fine_tune, data='scenes', init=dict(load_from='backbone'), options=less
    ),
    **{
        f'{name}, fine-tuned': dict(config=fine_tune, data='scenes', init=dict(load_from=name))
        for name in methods
    },
    **{
        f'{name}, heads': dict(config=heads, data='scenes', init=dict(load_from=name))
        for name in methods
    },
}
tables = [
    dict(
        title='Two-stage Deformable DETR R18, built-in scenes',
        rows={
            'from scratch': {'fine-tuned': 'from scratch, fine-tuned'},
            **{name: {'fine-tuned': f'{name}, fine-tuned'} for name in methods},
        },
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    ),
    dict(
        title='Frozen transformer, trained heads',
        rows={name: {'heads': f'{name}, heads'} for name in methods},
        metrics={
            'AR@100': 'coco/bbox_AR@100',
            'AR@10': 'coco/bbox_AR@10',
            'AR@1': 'coco/bbox_AR@1',
        },
    ),
]
