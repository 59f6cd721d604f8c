# DETR by the recipe of "Self-supervised learning for Object Detection", and what makes it learn:
# on the built-in scenes, from the small Barlow Twins, with and without pretraining by UP-DETR.
#
#   python tools/dataset_converters/make_scenes.py
seeds = (0, 1, 2)
data = dict(scenes='data/scenes/')
twins = 'Barlow Twins'
backbone = 'model.backbone.init_cfg.checkpoint'
detectors = {
    'DETR': '../finetune/detr-adam_r18_1xb4-40e_scenes.py',
    'Conditional DETR': '../finetune/conditional-detr-adam_r18_1xb4-40e_scenes.py',
    'Deformable DETR': '../finetune/deformable-detr-single-scale-adam_r18_1xb4-40e_scenes.py',
}
updetr = {
    'DETR': '../updetr/updetr_detr_r18_1xb8-50e_scenes.py',
    'Deformable DETR': '../updetr/updetr_deformable-detr-single-scale_r18_1xb8-50e_scenes.py',
}
# AP over fine-tuning.
often = {'train_cfg.val_interval': 10}
stages = {
    twins: dict(
        config='../barlow_twins/barlowtwins_r18_1xb32-100e_scenes.py',
        data='scenes',
        options={
            'train_cfg.max_epochs': 40,
            'param_scheduler.CosineAnnealingLR.T_max': 40,
            'param_scheduler.CosineAnnealingLR.end': 40,
        },
    )
}
# 20 epochs, as in the paper; the rate falls after two thirds of them, as in UP-DETR's.
for name, config in updetr.items():
    stages[f'UP-DETR of {name}'] = dict(
        config=config,
        data='scenes',
        init={'model.detector.backbone.init_cfg.checkpoint': twins},
        normalize_as=twins,
        options={
            'train_cfg.max_epochs': 20,
            'param_scheduler.MultiStepLR.end': 20,
            'param_scheduler.MultiStepLR.milestones': [13],
        },
    )
rows = {}
for name, config in detectors.items():
    rows[name] = {'': name}
    stages[name] = dict(config=config, data='scenes', init={backbone: twins}, options=often)
for name in updetr:
    rows[f'{name} (UP-DETR)'] = {'': f'{name} (UP-DETR)'}
    stages[f'{name} (UP-DETR)'] = dict(
        config=detectors[name],
        data='scenes',
        init=dict(load_from=f'UP-DETR of {name}'),
        options={**often, 'model.backbone.init_cfg': None},
    )
tables = [
    dict(
        title='DETR R18 by one recipe, built-in scenes',
        rows=rows,
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
