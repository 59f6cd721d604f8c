# make demo: a backbone pretrained by PLRC without labels, then the small two-stage Deformable
# DETR fine-tuned from it, stock and with PixCon, beside the one that starts from random
# weights. Minutes on two cores: it shows that everything works, not what is better.
data = dict(scenes='data/scenes/')

# 300 steps.
short = {
    'train_cfg.max_epochs': 6,
    'train_cfg.val_interval': 2,
    'param_scheduler.MultiStepLR.end': 6,
    'param_scheduler.MultiStepLR.milestones': [5],
    'default_hooks.logger.interval': 10,
}
# The backbone of PLRC's config, in configs that have a wider one.
narrow = {'backbone.base_channels': 32, 'neck.in_channels': [128, 256]}
in_stock = {f'model.{key}': value for key, value in narrow.items()}
in_pixcon = {f'model.detector.{key}': value for key, value in narrow.items()}
# A backbone is less than half of a detector.
least = 0.3

stages = {
    'PLRC': dict(
        config='../plrc/plrc_r18_1xb32-100e_scenes.py',
        data='scenes',
        options={
            'train_cfg.max_epochs': 20,
            'param_scheduler.CosineAnnealingLR.T_max': 20,
            'param_scheduler.CosineAnnealingLR.end': 20,
            'model.warmup_epochs': 3,
            'default_hooks.logger.interval': 4,
        },
    ),
    'Deformable DETR': dict(
        config='../stock/deformable-detr_r18_1xb8-12e_scenes.py',
        data='scenes',
        options={**short, **in_stock},
    ),
    'PLRC, Deformable DETR': dict(
        config='../finetune/deformable-detr-pretrained_r18_1xb8-12e_scenes.py',
        data='scenes',
        options={
            **short,
            'custom_hooks.PlainCheckpointHook.min_loaded': least,
            'custom_hooks.RequireCheckpointHook.whole': False,
        },
        init=dict(load_from='PLRC'),
    ),
    'PLRC, Deformable DETR + PixCon': dict(
        config='../pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py',
        data='scenes',
        options={**short, **in_pixcon, 'custom_hooks.PlainCheckpointHook.min_loaded': least},
        init=dict(load_from='PLRC'),
    ),
}
tables = [
    dict(
        title='Built-in scenes, one seed',
        rows={name: {'': name} for name in stages if name != 'PLRC'},
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
