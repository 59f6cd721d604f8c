# Siamese DETR's tables 1 and 2 (ImageNet, COCO to COCO, VOC), 3 (ablations), 4 (proposals), 5
# (frozen transformer) and 6 (DAB-DETR, DN-DETR). "From scratch" starts from a backbone: add a
# stage with init=dict(load_from=...) of yours, see configs/finetune/DETR.md.
_base_ = 'paths.py'
methods = {
    'UP-DETR': '../updetr/updetr',
    'DETReg': '../detreg/detreg',
    'Siamese DETR': '../siamese_detr/siamese-detr',
}
imagenet = '_r50_32xb8-60e_imagenet.py'
coco = '_r50_16xb4-60e_coco.py'
# Detectors, and which methods pretrain them in the paper.
detectors = {
    'detr': tuple(methods),
    'conditional-detr-100q': tuple(methods),
    'conditional-detr': ('UP-DETR', 'Siamese DETR'),
    'deformable-detr-single-scale': ('UP-DETR', 'Siamese DETR'),
    'deformable-detr': tuple(methods),
}
one = 'conditional-detr-100q'
pretrained = {
    **{
        f'{method} {detector}': dict(
            config=f'{methods[method]}_{detector}{imagenet}', data='imagenet'
        )
        for detector, names in detectors.items()
        for method in names
    },
    **{
        f'{method} {one} COCO': dict(config=f'{path}_{one}{coco}', data='coco')
        for method, path in methods.items()
    },
    **{
        f'Siamese DETR {one} {part}': dict(
            config=f'../siamese_detr/siamese-detr-{part}_{one}{imagenet}', data='imagenet'
        )
        for part in ('a-detection', 'b-global', 'c-object', 'd-crop')
    },
    'Siamese DETR COCO random': dict(
        config=f'../siamese_detr/siamese-detr-random_{one}{coco}', data='coco'
    ),
    'Siamese DETR COCO selective search': dict(
        config=f'../siamese_detr/siamese-detr-selective-search_{one}{coco}', data='coco'
    ),
    'DETReg COCO random': dict(config=f'../detreg/detreg-random_{one}{coco}', data='coco'),
    'DETReg COCO edge boxes': dict(config=f'../detreg/detreg-edge-boxes_{one}{coco}', data='coco'),
    'UP-DETR COCO edge boxes': dict(config=f'../updetr/updetr-edge-boxes_{one}{coco}', data='coco'),
    **{
        f'Siamese DETR {detector}': dict(
            config=f'../siamese_detr/siamese-detr_{detector}{coco}', data='coco'
        )
        for detector in ('dab-deformable-detr', 'dn-deformable-detr')
    },
}
fine = '../finetune/'
on_coco = {
    f'{method} {detector}': fine
    + f'{detector}_r50_8xb4-{"150e" if detector == "detr" else "50e"}_coco.py'
    for detector, names in detectors.items()
    for method in names
}
on_voc = {
    f'{method} {detector}': f'{fine}{detector}_r50_8xb4-50e_voc0712.py'
    for detector, names in detectors.items()
    for method in names
    if detector != 'conditional-detr'
}
ablations = {
    name: f'{fine}{one}_r50_8xb4-50e_voc0712.py'
    for name in pretrained
    if 'COCO' in name or name.endswith(('-detection', '-global', '-object', '-crop'))
}
dab_dn = {
    f'Siamese DETR {detector}': f'{fine}{detector}_r50_8xb4-50e_voc0712.py'
    for detector in ('dab-deformable-detr', 'dn-deformable-detr')
}
heads = {
    f'{method} detr': '../transfer/detr_r50_box-head_8xb4-50e_voc0712.py' for method in methods
}
stages = {
    **pretrained,
    **{
        f'{name}, COCO': dict(config=config, data='coco', init=dict(load_from=name))
        for name, config in on_coco.items()
    },
    **{
        f'{name}, VOC': dict(config=config, data='voc', init=dict(load_from=name))
        for name, config in {**on_voc, **ablations, **dab_dn}.items()
    },
    **{
        f'{name}, 10% of VOC': dict(
            config=config.replace('voc0712', 'voc0712-10percent'),
            data='voc',
            init=dict(load_from=name),
        )
        for name, config in dab_dn.items()
    },
    **{
        f'{name}, heads': dict(config=config, data='voc', init=dict(load_from=name))
        for name, config in heads.items()
    },
}
AP = dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50', AP75='coco/bbox_mAP_75')
numbers = {
    'UP-DETR detr': ((40.5, 60.8, 42.6), (50.0, 73.5, 53.4)),
    'DETReg detr': ((41.9, 61.9, 44.1), (53.8, 76.5, 57.3)),
    'Siamese DETR detr': ((42.0, 63.1, 44.2), (54.4, 77.4, 57.6)),
    'UP-DETR conditional-detr-100q': ((39.4, 61.2, 41.0), (56.9, 81.5, 61.6)),
    'DETReg conditional-detr-100q': ((40.2, 61.8, 42.0), (57.5, 82.0, 62.4)),
    'Siamese DETR conditional-detr-100q': ((40.5, 61.6, 42.6), (58.1, 81.6, 62.8)),
    'UP-DETR conditional-detr': ((41.5, 63.2, 43.6), ()),
    'Siamese DETR conditional-detr': ((43.0, 64.2, 45.6), ()),
    'UP-DETR deformable-detr-single-scale': ((40.8, 61.8, 43.4), (54.0, 79.3, 58.8)),
    'Siamese DETR deformable-detr-single-scale': ((42.1, 62.8, 44.7), (58.0, 81.8, 64.0)),
    'UP-DETR deformable-detr': ((45.3, 64.5, 49.6), (56.4, 80.9, 62.3)),
    'DETReg deformable-detr': ((45.5, 64.1, 49.9), (59.7, 82.0, 66.4)),
    'Siamese DETR deformable-detr': ((46.3, 64.6, 50.5), (61.2, 82.9, 67.7)),
}
tables = [
    dict(
        title='From ImageNet (tables 1 and 2)',
        rows={
            name: {
                'COCO': f'{name}, COCO',
                **({'VOC': f'{name}, VOC'} if name in on_voc else {}),
            }
            for name in on_coco
        },
        metrics=AP,
        paper={
            name: {'COCO': dict(zip(AP, of_coco)), 'VOC': dict(zip(AP, of_voc))}
            for name, (of_coco, of_voc) in numbers.items()
        },
    ),
    dict(
        title='Conditional DETR on VOC (tables 2, 3 and 4)',
        rows={name: {'VOC': f'{name}, VOC'} for name in ablations},
        metrics=AP,
    ),
    dict(
        title='Frozen transformer, VOC (table 5)',
        rows={name: {'heads': f'{name}, heads'} for name in heads},
        metrics={
            'AR@1': 'coco/bbox_AR@1',
            'AR@10': 'coco/bbox_AR@10',
            'AR@100': 'coco/bbox_AR@100',
        },
        paper={
            'UP-DETR detr': {'heads': {'AR@1': 9.5, 'AR@10': 17.9, 'AR@100': 24.0}},
            'DETReg detr': {'heads': {'AR@1': 11.2, 'AR@10': 20.5, 'AR@100': 26.5}},
            'Siamese DETR detr': {'heads': {'AR@1': 12.4, 'AR@10': 23.0, 'AR@100': 30.7}},
        },
    ),
    dict(
        title='VOC and 10 % of it (table 6)',
        rows={
            name: {'VOC': f'{name}, VOC', '10% of VOC': f'{name}, 10% of VOC'} for name in dab_dn
        },
        metrics=AP,
        paper={
            'Siamese DETR dab-deformable-detr': {
                'VOC': dict(AP=62.2),
                '10% of VOC': dict(AP=41.8),
            },
            'Siamese DETR dn-deformable-detr': {
                'VOC': dict(AP=63.4),
                '10% of VOC': dict(AP=43.6),
            },
        },
    ),
]
