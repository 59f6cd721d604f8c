# PixCon's losses and levels on the small two-stage Deformable DETR, built-in scenes, from
# random weights.
seeds = (0, 1, 2)
data = dict(scenes='data/scenes/')

models = {
    'stock': '../stock/deformable-detr_r18_1xb8-12e_scenes.py',
    'L_Cos': '../pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py',
    'L_Cos, two levels': '../pixcon/pixcon-two-level_deformable-detr_r18_1xb8-12e_scenes.py',
    'L_Cos, all levels': '../pixcon/pixcon-all-level_deformable-detr_r18_1xb8-12e_scenes.py',
    'L_NCE': '../pixcon/pixcon-nce_deformable-detr_r18_1xb8-12e_scenes.py',
    'L_Cos, warm-up of beta': '../pixcon/pixcon-warmup_deformable-detr_r18_1xb8-12e_scenes.py',
}
stages = {name: dict(config=config, data='scenes') for name, config in models.items()}
tables = [
    dict(
        title='Two-stage Deformable DETR R18, built-in scenes',
        rows={name: {'': name} for name in models},
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
