# Siamese DETR's tables 1 (ImageNet to COCO), 2 (to VOC), 3 (ablations), 4 (proposals), 5 (frozen
# transformer) and 6 (DAB-DETR, DN-DETR). "From scratch" has SwAV's backbone and no more.
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
dab_dn = ('dab-deformable-detr', 'dn-deformable-detr')
# Sources of boxes that no config has, on ImageNet.
source = 'train_dataloader.dataset.pipeline.RegionTargets.source'
random_boxes = {f'{source}._delete_': True, f'{source}.type': 'RandomRegions', f'{source}.num': 30}
edge_boxes = {
    f'{source}._delete_': True,
    f'{source}.type': 'ProposalRegions',
    f'{source}.path': 'data/imagenet/proposals/edge_boxes',
}
of_imagenet = {
    **{
        f'{method} {detector}': f'{methods[method]}_{detector}'
        for detector, names in detectors.items()
        for method in names
    },
    **{
        f'Siamese DETR {one} {part}': f'../siamese_detr/ablations/siamese-detr-{part}_{one}'
        for part in ('a-detection', 'b-global', 'c-object', 'd-crop', 'random')
    },
}
of_coco = {
    **{f'{method} COCO': f'{path}_{one}' for method, path in methods.items()},
    'Siamese DETR COCO random': f'../siamese_detr/ablations/siamese-detr-random_{one}',
    'Siamese DETR COCO selective search': (
        f'../siamese_detr/ablations/siamese-detr-selective-search_{one}'
    ),
    'DETReg COCO random': f'../detreg/ablations/detreg-random_{one}',
    'DETReg COCO edge boxes': f'../detreg/ablations/detreg-edge-boxes_{one}',
    'UP-DETR COCO edge boxes': f'../updetr/ablations/updetr-edge-boxes_{one}',
    **{f'Siamese DETR {d}': f'../siamese_detr/siamese-detr_{d}' for d in dab_dn},
}
frozen = {'model.detector.backbone.init_cfg.checkpoint': _base_.swav}
pretrained = {
    **{
        n: dict(config=f'{c}{imagenet}', data='imagenet', options=frozen)
        for n, c in of_imagenet.items()
    },
    **{
        f'{method} {one} {name}': dict(
            config=f'{methods[method]}_{one}{imagenet}',
            data='imagenet',
            options={**frozen, **boxes},
        )
        for method, name, boxes in (
            ('DETReg', 'random', random_boxes),
            ('DETReg', 'edge boxes', edge_boxes),
            ('UP-DETR', 'edge boxes', edge_boxes),
        )
    },
    **{n: dict(config=f'{c}{coco}', data='coco', options=frozen) for n, c in of_coco.items()},
}
# The backbone alone is less than half of a detector.
scratch = {
    'load_from': _base_.swav,
    'custom_hooks.PlainCheckpointHook.min_loaded': 0.3,
    'custom_hooks.RequireCheckpointHook.whole': False,
}
# What is fine-tuned from what: (name, detector).
on_coco = [
    (start, detector)
    for detector, names in detectors.items()
    for start in (
        f'from scratch {detector}',
        *(f'{method} {detector}' for method in names),
    )
]
on_voc = [(start, detector) for start, detector in on_coco if detector != 'conditional-detr']
other_boxes = [
    f'{start} {one} {boxes}'
    for start, boxes in (
        ('Siamese DETR', 'random'),
        ('DETReg', 'random'),
        ('DETReg', 'edge boxes'),
        ('UP-DETR', 'edge boxes'),
    )
]
parts = [
    name for name in of_imagenet if name.endswith(('-detection', '-global', '-object', '-crop'))
]
coco_to_voc = [name for name in of_coco if 'COCO' in name]
variants = [
    (f'{start} {detector}', detector)
    for detector in dab_dn
    for start in ('from scratch', 'Siamese DETR')
]
pretrained_detrs = [f'{method} detr' for method in methods]
fine = '../finetune/'


starts = {
    **{f'from scratch {detector}': dict(options=scratch) for detector in (*detectors, *dab_dn)},
    **{name: dict(init=dict(load_from=name)) for name in pretrained},
}
stages = {
    **pretrained,
    **{
        f'{name}, to COCO': dict(
            config=f'{fine}{detector}_r50_8xb4-{150 if detector == "detr" else 50}e_coco.py',
            data='coco',
            **starts[name],
        )
        for name, detector in (*on_coco, *((name, one) for name in other_boxes))
    },
    **{
        f'{name}, to VOC': dict(
            config=f'{fine}{detector}_r50_8xb4-50e_voc0712.py', data='voc', **starts[name]
        )
        for name, detector in (
            *on_voc,
            *((name, one) for name in (*parts, *coco_to_voc)),
            *variants,
        )
    },
    **{
        f'{name}, to VOC, 150 epochs': dict(
            config=f'{fine}detr_r50_8xb4-150e_voc0712.py', data='voc', **starts[name]
        )
        for name in ('from scratch detr', *pretrained_detrs)
    },
    **{
        f'{name}, to 10% of VOC': dict(
            config=f'{fine}{detector}_r50_8xb4-50e_voc0712.py',
            data='voc',
            percent=10,
            **starts[name],
        )
        for name, detector in variants
    },
    **{
        f'{name}, heads': dict(
            config='../transfer/detr_r50_box-head_8xb4-50e_voc0712.py',
            data='voc',
            init=dict(load_from=name),
        )
        for name in pretrained_detrs
    },
    # Its frozen transformer stays random.
    'from scratch detr, heads': dict(
        config='../transfer/detr_r50_box-head_8xb4-50e_voc0712.py',
        data='voc',
        options={
            'load_from': _base_.swav,
            'custom_hooks.PlainCheckpointHook.min_loaded': 0.3,
            'custom_hooks.RequireCheckpointHook.frozen_too': False,
        },
    ),
}
AP = _base_.box_metrics_by_size
numbers_coco = {
    'from scratch detr': (39.7, 60.3, 41.7, 18.5, 43.8, 57.5),
    'UP-DETR detr': (40.5, 60.8, 42.6, 19.0, 44.4, 60.0),
    'DETReg detr': (41.9, 61.9, 44.1, 19.1, 45.7, 61.5),
    'Siamese DETR detr': (42.0, 63.1, 44.2, 19.6, 46.0, 61.9),
    'from scratch conditional-detr-100q': (37.7, 59.6, 39.2, 17.1, 41.7, 56.3),
    'UP-DETR conditional-detr-100q': (39.4, 61.2, 41.0, 18.1, 43.0, 58.7),
    'DETReg conditional-detr-100q': (40.2, 61.8, 42.0, 19.1, 43.7, 60.0),
    'Siamese DETR conditional-detr-100q': (40.5, 61.6, 42.6, 19.5, 44.2, 60.1),
    'from scratch conditional-detr': (41.1, 62.3, 43.4, 20.6, 45.0, 59.4),
    'UP-DETR conditional-detr': (41.5, 63.2, 43.6, 21.3, 45.4, 60.2),
    'Siamese DETR conditional-detr': (43.0, 64.2, 45.6, 22.0, 47.2, 61.8),
    'from scratch deformable-detr-single-scale': (40.3, 60.9, 42.9, 20.1, 44.8, 57.2),
    'UP-DETR deformable-detr-single-scale': (40.8, 61.8, 43.4, 20.4, 45.1, 59.1),
    'Siamese DETR deformable-detr-single-scale': (42.1, 62.8, 44.7, 22.3, 46.6, 59.9),
    'from scratch deformable-detr': (45.5, 64.2, 49.4, 27.8, 49.2, 59.4),
    'UP-DETR deformable-detr': (45.3, 64.5, 49.6, 26.0, 49.2, 59.9),
    'DETReg deformable-detr': (45.5, 64.1, 49.9, 26.9, 49.5, 59.6),
    'Siamese DETR deformable-detr': (46.3, 64.6, 50.5, 28.1, 50.1, 61.5),
}
numbers_voc = {
    'from scratch detr': (28.5, 47.5, 29.4, 1.3, 7.4, 40.3),
    'UP-DETR detr': (50.0, 73.5, 53.4, 6.5, 29.5, 64.1),
    'DETReg detr': (53.8, 76.5, 57.3, 8.3, 35.4, 67.5),
    'Siamese DETR detr': (54.4, 77.4, 57.6, 7.7, 35.0, 68.4),
    'from scratch conditional-detr-100q': (49.9, 78.2, 55.3, 8.1, 33.5, 65.1),
    'UP-DETR conditional-detr-100q': (56.9, 81.5, 61.6, 11.3, 39.2, 69.8),
    'DETReg conditional-detr-100q': (57.5, 82.0, 62.4, 11.8, 40.7, 71.0),
    'Siamese DETR conditional-detr-100q': (58.1, 81.6, 62.8, 12.2, 40.6, 71.5),
    'from scratch deformable-detr-single-scale': (53.8, 79.5, 59.1, 11.8, 39.8, 65.7),
    'UP-DETR deformable-detr-single-scale': (54.0, 79.3, 58.8, 11.4, 38.6, 66.1),
    'Siamese DETR deformable-detr-single-scale': (58.0, 81.8, 64.0, 14.0, 43.3, 70.3),
    'from scratch deformable-detr': (56.1, 80.7, 61.9, 17.4, 42.7, 66.4),
    'UP-DETR deformable-detr': (56.4, 80.9, 62.3, 17.3, 41.3, 67.4),
    'DETReg deformable-detr': (59.7, 82.0, 66.4, 18.2, 46.4, 70.4),
    'Siamese DETR deformable-detr': (61.2, 82.9, 67.7, 19.3, 47.1, 72.2),
    'UP-DETR COCO': (51.3, 79.0, 55.3, 9.5, 35.3, 63.7),
    'DETReg COCO': (55.9, 80.0, 61.6, 11.0, 39.3, 68.5),
    'Siamese DETR COCO': (57.7, 80.9, 62.5, 11.0, 40.4, 70.9),
}
numbers_long = {
    'from scratch detr': (47.8, 73.8, 50.9, 5.4, 27.6, 61.4),
    'UP-DETR detr': (54.4, 78.1, 58.6, 10.5, 35.8, 67.5),
    'DETReg detr': (57.0, 79.7, 61.6, 11.5, 39.5, 70.2),
    'Siamese DETR detr': (57.4, 80.3, 62.2, 11.6, 39.3, 71.0),
}
# Rows of table 3, and of table 4: what was trained, and the AP.
numbers_parts = {
    f'UP-DETR {one}': 56.9,
    f'Siamese DETR {one} a-detection': 57.1,
    f'Siamese DETR {one} b-global': 57.3,
    f'Siamese DETR {one} c-object': 57.3,
    f'Siamese DETR {one} d-crop': 57.7,
    f'Siamese DETR {one}': 58.1,
}
numbers_boxes_coco = {
    f'UP-DETR {one}': 39.4,
    f'DETReg {one} random': 40.3,
    f'Siamese DETR {one} random': 40.4,
    f'UP-DETR {one} edge boxes': 39.3,
    f'DETReg {one} edge boxes': 40.3,
    f'Siamese DETR {one}': 40.5,
}
numbers_boxes_voc = {
    'UP-DETR COCO': 51.3,
    'DETReg COCO random': 51.9,
    'Siamese DETR COCO random': 54.9,
    'DETReg COCO': 55.9,
    'Siamese DETR COCO selective search': 56.2,
    'UP-DETR COCO edge boxes': 57.0,
    'DETReg COCO edge boxes': 56.3,
    'Siamese DETR COCO': 57.7,
}
numbers_heads = {
    'from scratch detr': (0.0, 0.1, 0.5),
    'UP-DETR detr': (9.5, 17.9, 24.0),
    'DETReg detr': (11.2, 20.5, 26.5),
    'Siamese DETR detr': (12.4, 23.0, 30.7),
}
numbers_variants = {
    'from scratch dab-deformable-detr': (57.9, 32.2),
    'Siamese DETR dab-deformable-detr': (62.2, 41.8),
    'from scratch dn-deformable-detr': (58.9, 32.9),
    'Siamese DETR dn-deformable-detr': (63.4, 43.6),
}
AR = {f'AR@{k}': f'coco/bbox_AR@{k}' for k in (1, 10, 100)}
tables = [
    *(
        dict(
            title=title,
            rows={name: {'': f'{name}, {task}'} for name in numbers},
            metrics=metrics,
            paper={name: {'': dict(zip(metrics, values))} for name, values in numbers.items()},
        )
        for title, task, metrics, numbers in (
            ('From ImageNet to COCO (table 1)', 'to COCO', AP, numbers_coco),
            ('VOC (table 2)', 'to VOC', AP, numbers_voc),
            ('VOC, 150 epochs (table 2)', 'to VOC, 150 epochs', AP, numbers_long),
            ('Frozen transformer, VOC (table 5)', 'heads', AR, numbers_heads),
        )
    ),
    *(
        dict(
            title=title,
            rows={name: {'': f'{name}, {task}'} for name in numbers},
            metrics=dict(AP='coco/bbox_mAP'),
            paper={name: {'': dict(AP=value)} for name, value in numbers.items()},
        )
        for title, task, numbers in (
            ('What is learned, VOC (table 3)', 'to VOC', numbers_parts),
            ('Proposals, ImageNet to COCO (table 4)', 'to COCO', numbers_boxes_coco),
            ('Proposals, COCO to VOC (table 4)', 'to VOC', numbers_boxes_voc),
        )
    ),
    dict(
        title='VOC and 10 % of it (table 6)',
        rows={
            name: {task: f'{name}, to {task}' for task in ('VOC', '10% of VOC')}
            for name in numbers_variants
        },
        metrics=dict(AP='coco/bbox_mAP'),
        paper={
            name: {'VOC': dict(AP=of_all), '10% of VOC': dict(AP=of_tenth)}
            for name, (of_all, of_tenth) in numbers_variants.items()
        },
    ),
]
