# PixCon's losses and levels on the small two-stage Deformable DETR, built-in scenes, from
# random weights.
seeds = (0, 1, 2)
data = dict(scenes='data/scenes/')

small = 'deformable-detr_r18_1xb8-12e_scenes.py'
models = {
    'stock': f'../stock/{small}',
    'L_Cos': f'../pixcon/pixcon_{small}',
    'L_Cos, two levels': f'../pixcon/ablations/pixcon-two-level_{small}',
    'L_Cos, all levels': f'../pixcon/ablations/pixcon-all-level_{small}',
    'L_NCE': f'../pixcon/ablations/pixcon-nce_{small}',
    'L_Cos, warm-up of beta': f'../pixcon/ablations/pixcon-warmup_{small}',
}
stages = {name: dict(config=config, data='scenes') for name, config in models.items()}
tables = [
    dict(
        title='Two-stage Deformable DETR R18, built-in scenes',
        rows={name: {'': name} for name in models},
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
