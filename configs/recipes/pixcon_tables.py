# PixCon's tables 1 (COCO), 2 (BDD100K) and 3 (from COCO to BDD100K).
_base_ = 'paths.py'
AP = dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50', AP75='coco/bbox_mAP_75')
on_coco = {
    'Deformable DETR': '../stock/deformable-detr_r50_4xb3-50e_coco.py',
    'alpha 1, beta 1': '../pixcon/pixcon-nce-cos_deformable-detr_r50_4xb3-50e_coco.py',
    'alpha 1, beta 0': '../pixcon/pixcon-nce_deformable-detr_r50_4xb3-50e_coco.py',
    'alpha 0.2, beta 1': '../pixcon/pixcon-nce0.2-cos_deformable-detr_r50_4xb3-50e_coco.py',
    'alpha 0, beta 1': '../pixcon/pixcon_deformable-detr_r50_4xb3-50e_coco.py',
    'DN-DETR': '../dn_detr/dn-detr_r50_4xb3-50e_coco.py',
    'DN-DETR, PixCon': '../pixcon/pixcon_dn-detr_r50_4xb3-50e_coco.py',
    'DN-Deformable-DETR': '../dn_detr/dn-deformable-detr_r50_4xb3-50e_coco.py',
    'DN-Deformable-DETR, PixCon': '../pixcon/pixcon_dn-deformable-detr_r50_4xb3-50e_coco.py',
    'DN-Deformable-DETR, 12': '../dn_detr/dn-deformable-detr_r50_4xb3-12e_coco.py',
    'DN-Deformable-DETR, 12, PixCon, two levels': (
        '../pixcon/pixcon-two-level_dn-deformable-detr_r50_4xb3-12e_coco.py'
    ),
}
on_bdd = {
    'DETR': '../stock/detr_r50_4xb3-150e_bdd100k.py',
    'Deformable DETR on BDD100K': '../stock/deformable-detr_r50_4xb3-50e_bdd100k.py',
    'Deformable DETR on BDD100K, PixCon': (
        '../pixcon/pixcon_deformable-detr_r50_4xb3-50e_bdd100k.py'
    ),
    'DN-Deformable-DETR, DC5': '../dn_detr/dn-deformable-detr_r50-dc5_4xb3-50e_bdd100k.py',
    'DN-Deformable-DETR, DC5, PixCon, two levels': (
        '../pixcon/pixcon-two-level_dn-deformable-detr_r50-dc5_4xb3-50e_bdd100k.py'
    ),
}
# Each from the run of the same name on COCO.
transferred = {
    ('Deformable DETR', 'linear probe'): 'deformable-detr_r50_linear-probe_4xb3-12e_bdd100k',
    ('Deformable DETR', 'fine-tuned'): 'deformable-detr_r50_fine-tune_4xb3-12e_bdd100k',
    ('alpha 0, beta 1', 'linear probe'): 'deformable-detr_r50_linear-probe_4xb3-12e_bdd100k',
    ('alpha 0, beta 1', 'fine-tuned'): 'deformable-detr_r50_fine-tune_4xb3-12e_bdd100k',
}
stages = {
    **{name: dict(config=config, data='coco') for name, config in on_coco.items()},
    **{name: dict(config=config, data='bdd100k') for name, config in on_bdd.items()},
    **{
        f'{name}, {how}': dict(
            config=f'../transfer/{config}.py', data='bdd100k', init=dict(load_from=name)
        )
        for (name, how), config in transferred.items()
    },
}
tables = [
    dict(
        title='COCO (table 1)',
        rows={name: {'': name} for name in on_coco},
        metrics=AP,
        paper={
            'Deformable DETR': {'': dict(AP=43.8, AP50=62.6, AP75=47.7)},
            'alpha 1, beta 1': {'': dict(AP=43.8, AP50=62.6, AP75=48.0)},
            'alpha 1, beta 0': {'': dict(AP=44.1, AP50=63.2, AP75=48.2)},
            'alpha 0.2, beta 1': {'': dict(AP=43.8, AP50=62.8, AP75=47.9)},
            'alpha 0, beta 1': {'': dict(AP=44.4, AP50=63.5, AP75=48.6)},
            'DN-DETR': {'': dict(AP=44.1, AP50=64.4, AP75=46.7)},
            'DN-DETR, PixCon': {'': dict(AP=44.3, AP50=64.3, AP75=46.9)},
            'DN-Deformable-DETR': {'': dict(AP=48.6, AP50=67.4, AP75=52.7)},
            'DN-Deformable-DETR, PixCon': {'': dict(AP=48.9, AP50=67.0, AP75=53.0)},
            'DN-Deformable-DETR, 12': {'': dict(AP=43.4, AP50=61.9, AP75=47.2)},
            'DN-Deformable-DETR, 12, PixCon, two levels': {'': dict(AP=43.9, AP50=61.8, AP75=47.3)},
        },
    ),
    dict(
        title='BDD100K (table 2)',
        rows={name: {'': name} for name in on_bdd},
        metrics=AP,
        paper={
            'DETR': {'': dict(AP=20.9, AP50=44.1, AP75=17.0)},
            'Deformable DETR on BDD100K': {'': dict(AP=31.1, AP50=57.7, AP75=28.5)},
            'Deformable DETR on BDD100K, PixCon': {'': dict(AP=31.5, AP50=58.0, AP75=29.1)},
            'DN-Deformable-DETR, DC5': {'': dict(AP=35.2, AP50=62.4, AP75=33.0)},
            'DN-Deformable-DETR, DC5, PixCon, two levels': {
                '': dict(AP=36.1, AP50=63.3, AP75=34.3)
            },
        },
    ),
    dict(
        title='From COCO to BDD100K (table 3)',
        rows={
            name: {how: f'{name}, {how}' for how in ('linear probe', 'fine-tuned')}
            for name in ('Deformable DETR', 'alpha 0, beta 1')
        },
        metrics=AP,
    ),
]
