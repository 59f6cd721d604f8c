# Regions of falling quality, as in PLRC's figure 6: annotated masks, boxes, a 4 x 4 and a 2 x 2
# grid, of points and pooled, on the built-in scenes. What the backbone's last map knows of
# objects, without fine-tuning: precision of affinities against the masks of other scenes.
#
#   python tools/dataset_converters/make_scenes.py
seeds = (0, 1, 2)
data = dict(scenes='data/scenes/')
# 240 steps.
options = {
    'train_cfg.max_epochs': 20,
    'param_scheduler.CosineAnnealingLR.T_max': 20,
    'param_scheduler.CosineAnnealingLR.end': 20,
    'model.warmup_epochs': 3,
    'custom_hooks.AffinityPrecisionHook.interval': 5,
}

regions = ('mask', 'box', 'grid 4', 'grid 2')
configs = {
    'PLRC, mask': 'ablations/plrc-mask',
    'PLRC, box': 'ablations/plrc-box',
    'PLRC, grid 4': 'plrc',
    'PLRC, grid 2': 'ablations/plrc-grid2',
    'PLRC, region level, mask': 'ablations/plrc-region-level-mask',
    'PLRC, region level, box': 'ablations/plrc-region-level-box',
    'PLRC, region level, grid 4': 'ablations/plrc-region-level',
    'PLRC, region level, grid 2': 'ablations/plrc-region-level-grid2',
}
stages = {
    name: dict(config=f'../plrc/{config}_r18_1xb32-100e_scenes.py', data='scenes')
    for name, config in configs.items()
}
tables = [
    dict(
        title='Affinity precision, ResNet-18, built-in scenes',
        rows={
            loss: {name: f'{loss}, {name}' for name in regions}
            for loss in ('PLRC', 'PLRC, region level')
        },
        metrics={'precision': 'objects/affinity_precision_mean'},
    )
]
