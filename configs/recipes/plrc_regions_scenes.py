# Regions of falling quality, as in PLRC's figure 6: annotated masks, boxes, a 4 x 4 and a 2 x 2
# grid, of points and pooled, on the built-in scenes. What the backbone's last map knows of
# objects, without fine-tuning: precision of affinities against the masks of other scenes.
#
#   python tools/dataset_converters/make_scenes.py
from mmpixcon.recipes import rows_of

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

regions = {'mask': '-mask', 'box': '-box', 'grid 4': '', 'grid 2': '-grid2'}
losses = {'PLRC': 'plrc', 'PLRC, region level': 'plrc-region-level'}

stages = {}
for loss, prefix in losses.items():
    for name, suffix in regions.items():
        stem = f'{prefix}{suffix}'
        folder = '../plrc' if stem == 'plrc' else '../plrc/ablations'
        config = f'{folder}/{stem}_r18_1xb32-100e_scenes.py'
        stages[f'{loss}, {name}'] = dict(config=config, data='scenes')
tables = [
    dict(
        title='Affinity precision, ResNet-18, built-in scenes',
        rows=rows_of(losses, regions),
        metrics={'precision': 'objects/affinity_precision_mean'},
    )
]
