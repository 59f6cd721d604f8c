# Siamese DETR's tables 1 (ImageNet to COCO), 2 (to VOC), 3 (ablations), 4 (proposals), 5 (frozen
# transformer) and 6 (DAB-DETR, DN-DETR), and figure 8 (shares of VOC). "From scratch" has SwAV's
# backbone and no more; where its name says so, the supervised one.
from mmpixcon.recipes import pretrain_then, rows_of

_base_ = 'paths.py'
methods = {
    'UP-DETR': '../updetr/updetr',
    'DETReg': '../detreg/detreg',
    'Siamese DETR': '../siamese_detr/siamese-detr',
}
# Detectors, and which methods pretrain them in the paper.
detectors = {
    'detr': ('UP-DETR', 'DETReg', 'Siamese DETR'),
    'conditional-detr-100q': ('UP-DETR', 'DETReg', 'Siamese DETR'),
    'conditional-detr': ('UP-DETR', 'Siamese DETR'),
    'deformable-detr-single-scale': ('UP-DETR', 'Siamese DETR'),
    'deformable-detr': ('UP-DETR', 'DETReg', 'Siamese DETR'),
}
ablated = 'conditional-detr-100q'
init = 'model.detector.backbone.init_cfg'
frozen = {f'{init}.checkpoint': _base_.swav, f'{init}.prefix': 'backbone.'}

# Pretraining on ImageNet: the methods of each detector, parts of Siamese DETR, other boxes.
pretrained, by_detector, parts, other_boxes = {}, {}, [], []
for detector, names in detectors.items():
    by_detector[detector] = [f'from scratch {detector}']
    for method in names:
        by_detector[detector].append(f'{method} {detector}')
        # DETReg's checkpoint of Deformable DETR is its release's, of another schedule.
        released = (method, detector) == ('DETReg', 'deformable-detr')
        schedule = '8xb24-5e' if released else '32xb8-60e'
        pretrained[f'{method} {detector}'] = dict(
            config=f'{methods[method]}_{detector}_r50_{schedule}_imagenet.py',
            data='imagenet',
            options=frozen,
        )
for part in ('a-detection', 'b-global', 'c-object', 'd-crop', 'random'):
    name = f'Siamese DETR {ablated} {part}'
    (other_boxes if part == 'random' else parts).append(name)
    pretrained[name] = dict(
        config=f'../siamese_detr/ablations/siamese-detr-{part}_{ablated}_r50_32xb8-60e_imagenet.py',
        data='imagenet',
        options=frozen,
    )
for method, boxes in (('DETReg', 'random'), ('DETReg', 'edge boxes'), ('UP-DETR', 'edge boxes')):
    name = f'{method} {ablated} {boxes}'
    other_boxes.append(name)
    folder, prefix = methods[method].rsplit('/', 1)
    variant = f'{prefix}-{boxes.replace(" ", "-")}'
    pretrained[name] = dict(
        config=f'{folder}/ablations/{variant}_{ablated}_r50_32xb8-60e_imagenet.py',
        data='imagenet',
        options=frozen,
    )

# Pretraining on COCO.
on_coco = {
    'UP-DETR COCO': f'../updetr/updetr_{ablated}',
    'DETReg COCO': f'../detreg/detreg_{ablated}',
    'Siamese DETR COCO': f'../siamese_detr/siamese-detr_{ablated}',
    'Siamese DETR COCO random': f'../siamese_detr/ablations/siamese-detr-random_{ablated}',
    'Siamese DETR COCO selective search': (
        f'../siamese_detr/ablations/siamese-detr-selective-search_{ablated}'
    ),
    'DETReg COCO random': f'../detreg/ablations/detreg-random_{ablated}',
    'DETReg COCO edge boxes': f'../detreg/ablations/detreg-edge-boxes_{ablated}',
    'UP-DETR COCO edge boxes': f'../updetr/ablations/updetr-edge-boxes_{ablated}',
}
variants = {
    'Siamese DETR dab-deformable-detr': '../siamese_detr/siamese-detr_dab-deformable-detr',
    'Siamese DETR dn-deformable-detr': '../siamese_detr/siamese-detr_dn-deformable-detr',
}
for name, config in {**on_coco, **variants}.items():
    pretrained[name] = dict(config=f'{config}_r50_16xb4-60e_coco.py', data='coco', options=frozen)
by_variant = {}
for detector in ('dab-deformable-detr', 'dn-deformable-detr'):
    by_variant[detector] = [f'from scratch {detector}', f'Siamese DETR {detector}']

# The backbone alone is less than half of a detector.
scratch = {
    'load_from': _base_.swav,
    'custom_hooks.PlainCheckpointHook.min_loaded': 0.3,
    'custom_hooks.RequireCheckpointHook.whole': False,
}
supervised = 'from scratch detr, supervised'
starts = {supervised: dict(options={**scratch, 'load_from': _base_.supervised_converted})}
for detector in (*detectors, *by_variant):
    starts[f'from scratch {detector}'] = dict(options=scratch)
for name in pretrained:
    starts[name] = dict(init=dict(load_from=name))

# Fine-tuning: what starts it, by detector.
to_coco = [('detr', [supervised]), *by_detector.items(), (ablated, other_boxes)]
to_voc = [(d, names) for d, names in by_detector.items() if d != 'conditional-detr']
to_voc += [(ablated, [*parts, *on_coco]), *by_variant.items()]
stages = {**pretrained}
for detector, names in to_coco:
    epochs = 150 if detector == 'detr' else 50
    task = dict(config=f'../finetune/{detector}_r50_8xb4-{epochs}e_coco.py', data='coco')
    stages.update(pretrain_then({name: starts[name] for name in names}, {'to COCO': task}))
for detector, names in to_voc:
    task = dict(config=f'../finetune/{detector}_r50_8xb4-50e_voc0712.py', data='voc')
    stages.update(pretrain_then({name: starts[name] for name in names}, {'to VOC': task}))
for name in by_detector['detr']:
    task = dict(config='../finetune/detr_r50_8xb4-150e_voc0712.py', data='voc')
    stages.update(pretrain_then({name: starts[name]}, {'to VOC, 150 epochs': task}))
for detector, names in by_variant.items():
    task = dict(config=f'../finetune/{detector}_r50_8xb4-50e_voc0712.py', data='voc', percent=10)
    stages.update(pretrain_then({name: starts[name] for name in names}, {'to 10% of VOC': task}))
percent_of_voc = {
    f'{percent}% of VOC': dict(
        config=f'../finetune/{ablated}_r50_8xb4-50e_voc0712.py', data='voc', percent=percent
    )
    for percent in (10, 30, 50, 70)
}
few_labels = [f'from scratch {ablated}', f'UP-DETR {ablated}', f'Siamese DETR {ablated}']
stages.update(pretrain_then({name: starts[name] for name in few_labels}, percent_of_voc))
heads = dict(config='../transfer/detr_r50_box-head_8xb4-50e_voc0712.py', data='voc')
for name in ('UP-DETR detr', 'DETReg detr', 'Siamese DETR detr'):
    stages.update(pretrain_then({name: starts[name]}, dict(heads=heads)))
# Its frozen transformer stays random.
stages['from scratch detr, heads'] = dict(
    heads,
    options={
        'load_from': _base_.swav,
        'custom_hooks.PlainCheckpointHook.min_loaded': 0.3,
        'custom_hooks.RequireCheckpointHook.frozen_too': False,
    },
)

rows_coco, rows_voc = rows_of([supervised], 'to COCO'), {}
for detector, names in by_detector.items():
    rows_coco.update(rows_of(names, 'to COCO'))
    if detector != 'conditional-detr':
        rows_voc.update(rows_of(names, 'to VOC'))
rows_voc.update(rows_of(['UP-DETR COCO', 'DETReg COCO', 'Siamese DETR COCO'], 'to VOC'))
variant_rows = {}
for names in by_variant.values():
    for name in names:
        variant_rows[name] = {'VOC': f'{name}, to VOC', '10% of VOC': f'{name}, to 10% of VOC'}
tables = [
    dict(
        title='From ImageNet to COCO (table 1)',
        rows=rows_coco,
        metrics=_base_.box_metrics_by_size,
        paper=dict(name='Siamese DETR', table=1),
    ),
    dict(
        title='VOC (table 2)',
        rows=rows_voc,
        metrics=_base_.box_metrics_by_size,
        paper=dict(name='Siamese DETR', table=2, dataset='PASCAL VOC 07+12'),
    ),
    dict(
        title='VOC, 150 epochs (table 2)',
        rows=rows_of(by_detector['detr'], 'to VOC, 150 epochs'),
        metrics=_base_.box_metrics_by_size,
        paper=dict(name='Siamese DETR', table=2, dataset='PASCAL VOC 07+12, 150 epochs'),
    ),
    dict(
        title='Frozen transformer, VOC (table 5)',
        rows=rows_of(by_detector['detr'], 'heads'),
        metrics={
            'AR@1': 'coco/bbox_AR@1',
            'AR@10': 'coco/bbox_AR@10',
            'AR@100': 'coco/bbox_AR@100',
        },
        paper=dict(name='Siamese DETR', table=5),
    ),
    dict(
        title='What is learned, VOC (table 3)',
        rows=rows_of([f'UP-DETR {ablated}', *parts, f'Siamese DETR {ablated}'], 'to VOC'),
        metrics=dict(AP='coco/bbox_mAP'),
        paper=dict(name='Siamese DETR', table=3),
    ),
    dict(
        title='Proposals, ImageNet to COCO (table 4)',
        rows=rows_of(
            [
                f'UP-DETR {ablated}',
                f'DETReg {ablated} random',
                f'Siamese DETR {ablated} random',
                f'UP-DETR {ablated} edge boxes',
                f'DETReg {ablated} edge boxes',
                f'Siamese DETR {ablated}',
            ],
            'to COCO',
        ),
        metrics=dict(AP='coco/bbox_mAP'),
        paper=dict(name='Siamese DETR', table=4, dataset='COCO'),
    ),
    dict(
        title='Proposals, COCO to VOC (table 4)',
        rows=rows_of(
            [
                'UP-DETR COCO',
                'DETReg COCO random',
                'Siamese DETR COCO random',
                'DETReg COCO',
                'Siamese DETR COCO selective search',
                'UP-DETR COCO edge boxes',
                'DETReg COCO edge boxes',
                'Siamese DETR COCO',
            ],
            'to VOC',
        ),
        metrics=dict(AP='coco/bbox_mAP'),
        paper=dict(name='Siamese DETR', table=4, dataset='PASCAL VOC 07+12'),
    ),
    dict(
        title='VOC and 10 % of it (table 6)',
        rows=variant_rows,
        metrics=dict(AP='coco/bbox_mAP'),
        paper=dict(name='Siamese DETR', table=6),
    ),
    dict(
        title='Shares of VOC (figure 8)',
        rows=rows_of(few_labels, percent_of_voc),
        metrics=dict(AP='coco/bbox_mAP'),
        paper=dict(name='Siamese DETR', table='figure 8'),
    ),
]
