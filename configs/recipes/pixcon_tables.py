# PixCon's tables 1 (COCO), 2 (BDD100K) and 3 (from COCO to BDD100K), and the masks on frozen
# weights of its text.
_base_ = 'paths.py'
on_coco = {
    'Deformable DETR': '../stock/deformable-detr_r50_4xb3-50e_coco.py',
    'alpha 1, beta 1': '../pixcon/ablations/pixcon-nce-cos_deformable-detr_r50_4xb3-50e_coco.py',
    'alpha 1, beta 0': '../pixcon/ablations/pixcon-nce_deformable-detr_r50_4xb3-50e_coco.py',
    'alpha 0.2, beta 1': (
        '../pixcon/ablations/pixcon-nce0.2-cos_deformable-detr_r50_4xb3-50e_coco.py'
    ),
    'alpha 0, beta 1': '../pixcon/pixcon_deformable-detr_r50_4xb3-50e_coco.py',
    'DN-DETR': '../dn_detr/dn-detr_r50_4xb3-50e_coco.py',
    'DN-DETR, PixCon': '../pixcon/pixcon_dn-detr_r50_4xb3-50e_coco.py',
    'DN-Deformable-DETR': '../dn_detr/dn-deformable-detr_r50_4xb3-50e_coco.py',
    'DN-Deformable-DETR, PixCon': '../pixcon/pixcon_dn-deformable-detr_r50_4xb3-50e_coco.py',
    'DN-Deformable-DETR, 12': '../dn_detr/dn-deformable-detr_r50_4xb3-12e_coco.py',
    'DN-Deformable-DETR, 12, PixCon, two levels': (
        '../pixcon/ablations/pixcon-two-level_dn-deformable-detr_r50_4xb3-12e_coco.py'
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
        '../pixcon/ablations/pixcon-two-level_dn-deformable-detr_r50-dc5_4xb3-50e_bdd100k.py'
    ),
}
# From the runs of these names on COCO.
transferred = ('DN-Deformable-DETR', 'DN-Deformable-DETR, PixCon')
ways = {'linear probe': 'linear-probe', 'fine-tuned': 'fine-tune'}
with_masks = ('Deformable DETR', 'alpha 0, beta 1')
stages = {
    **{name: dict(config=config, data='coco') for name, config in on_coco.items()},
    **{name: dict(config=config, data='bdd100k') for name, config in on_bdd.items()},
    **{
        f'{name}, {how}': dict(
            config=f'../transfer/dn-deformable-detr_r50_{config}_4xb3-12e_bdd100k.py',
            data='bdd100k',
            init=dict(load_from=name),
        )
        for name in transferred
        for how, config in ways.items()
    },
    **{
        f'{name}, masks': dict(
            config='../segmentation/query-mask_deformable-detr_r50_4xb3-15e_coco.py',
            data='coco',
            init=dict(load_from=name),
        )
        for name in with_masks
    },
}
box = _base_.box_metrics_by_size
mask = dict(
    AP='coco/segm_mAP', AP_S='coco/segm_mAP_s', AP_M='coco/segm_mAP_m', AP_L='coco/segm_mAP_l'
)
of_coco = {
    'Deformable DETR': (43.8, 62.6, 47.7, 26.4, 47.1, 58.0),
    'alpha 1, beta 1': (43.8, 62.6, 48.0, 26.6, 47.5, 57.1),
    'alpha 1, beta 0': (44.1, 63.2, 48.2, 27.1, 47.5, 57.9),
    'alpha 0.2, beta 1': (43.8, 62.8, 47.9, 26.5, 47.0, 58.4),
    'alpha 0, beta 1': (44.4, 63.5, 48.6, 27.0, 47.6, 59.2),
    'DN-DETR': (44.1, 64.4, 46.7, 22.9, 48.0, 63.4),
    'DN-DETR, PixCon': (44.3, 64.3, 46.9, 22.9, 47.9, 63.9),
    'DN-Deformable-DETR': (48.6, 67.4, 52.7, 31.0, 52.0, 63.7),
    'DN-Deformable-DETR, PixCon': (48.9, 67.0, 53.0, 30.4, 51.9, 65.1),
    'DN-Deformable-DETR, 12': (43.4, 61.9, 47.2, 24.8, 46.8, 59.4),
    'DN-Deformable-DETR, 12, PixCon, two levels': (43.9, 61.8, 47.3, 26.2, 46.9, 59.2),
}
of_bdd = {
    'DETR': (20.9, 44.1, 17.0, 7.2, 24.4, 39.9),
    'Deformable DETR on BDD100K': (31.1, 57.7, 28.5, 14.8, 36.6, 52.4),
    'Deformable DETR on BDD100K, PixCon': (31.5, 58.0, 29.1, 15.1, 36.7, 52.6),
    'DN-Deformable-DETR, DC5': (35.2, 62.4, 33.0, 17.3, 41.1, 58.3),
    'DN-Deformable-DETR, DC5, PixCon, two levels': (36.1, 63.3, 34.3, 18.2, 41.2, 58.4),
}
of_transfer = {
    'DN-Deformable-DETR': {
        'linear probe': (27.9, 51.3, 25.8, 11.8, 32.4, 53.9),
        'fine-tuned': (33.0, 59.3, 31.0, 14.8, 36.9, 58.5),
    },
    'DN-Deformable-DETR, PixCon': {
        'linear probe': (28.3, 51.6, 26.3, 11.9, 32.5, 54.0),
        'fine-tuned': (33.4, 59.9, 31.9, 15.5, 38.0, 57.8),
    },
}
of_masks = {
    'Deformable DETR': (21.5, 17.8, 23.6, 26.6),
    'alpha 0, beta 1': (23.0, 20.2, 24.9, 26.9),
}
tables = [
    *(
        dict(
            title=title,
            rows={name: {'': name} for name in numbers},
            metrics=box,
            paper={name: {'': dict(zip(box, values))} for name, values in numbers.items()},
        )
        for title, numbers in (('COCO (table 1)', of_coco), ('BDD100K (table 2)', of_bdd))
    ),
    dict(
        title='From COCO to BDD100K (table 3)',
        rows={name: {how: f'{name}, {how}' for how in ways} for name in transferred},
        metrics=box,
        paper={
            name: {how: dict(zip(box, values)) for how, values in by.items()}
            for name, by in of_transfer.items()
        },
    ),
    dict(
        title='Masks on frozen weights, COCO',
        rows={name: {'': f'{name}, masks'} for name in with_masks},
        metrics=mask,
        paper={name: {'': dict(zip(mask, values))} for name, values in of_masks.items()},
    ),
]
