# DetCo's detection tables: from random weights, supervised ones, MoCo v2 and DetCo (200 epochs) to
# COCO with few labels (appendix, tables I and II), COCO (III), LVIS (IV); and the ablations of
# tables V to VII on VOC. MoCo v1, in the paper's tables too, has no config here.
_base_ = 'paths.py'
init = 'model.backbone.init_cfg'
backbone = f'{init}.checkpoint'
methods = {
    'MoCo v2': '../moco/mocov2_r50_8xb32-200e_imagenet.py',
    'DetCo': '../detco/detco_r50_8xb32-200e_imagenet.py',
    'DetCo-AA': '../detco/detco-aa_r50_8xb32-200e_imagenet.py',
}
ablations = {
    'detco': '../detco/detco_r50_8xb32-100e_imagenet.py',
    'detco, 50 epochs': '../detco/detco_r50_8xb32-50e_imagenet.py',
}
for name in ('w0001', 'w1111-norm', 'w1111', 'norm', 'shared-bank'):
    ablations[f'detco-{name}'] = f'../detco/ablations/detco-{name}_r50_8xb32-100e_imagenet.py'
for name in ('gg', 'gg-gl'):
    ablations[f'detco-{name}'] = f'../detco/ablations/detco-{name}_r50_8xb32-50e_imagenet.py'
starts = {
    'random weights': dict(options={init: None}),
    'supervised': dict(options={backbone: _base_.supervised, f'{init}.prefix': None}),
    **{name: dict(init={backbone: name}) for name in (*methods, *ablations)},
}
compared = [name for name in starts if name not in ablations]
few = {f'{percent}%': percent for percent in (1, 2, 5, 10)}
full = {
    'C4, 180k': 'mask-rcnn_r50-c4_8xb2-180k_coco',
    'FPN, 180k': 'mask-rcnn_r50_fpn_8xb2-180k_coco',
}
others = {
    'Mask R-CNN C4, 12k': 'mask-rcnn_r50-c4_8xb2-12k_coco',
    'Mask R-CNN C4, 90k': 'mask-rcnn_r50-c4_8xb2-90k_coco',
    'Mask R-CNN FPN, 12k': 'mask-rcnn_r50_fpn_8xb2-12k_coco',
    'Mask R-CNN FPN, 90k': 'mask-rcnn_r50_fpn_8xb2-90k_coco',
    'RetinaNet, 12k': 'retinanet_r50_fpn_8xb2-12k_coco',
    'RetinaNet, 90k': 'retinanet_r50_fpn_8xb2-90k_coco',
}
lvis = 'mask-rcnn_r50_fpn_8xb2-180k_lvis-v1'
voc = 'faster-rcnn_r50-c4_8xb2-24k_voc0712'
stages = {
    **{
        name: dict(config=config, data='imagenet')
        for name, config in {**methods, **ablations}.items()
    },
    **{
        f'{name}, {task}': dict(config=f'../finetune/{config}.py', data=data, **starts[name])
        for names, tasks, data in (
            (compared, {**full, **others}, 'coco'),
            (compared, {'LVIS': lvis}, 'lvis'),
            (starts, {'VOC': voc}, 'voc'),
        )
        for name in names
        for task, config in tasks.items()
    },
    **{
        f'{name}, {share}': dict(
            config='../finetune/mask-rcnn_r50_fpn_8xb2-12k_coco.py',
            data='coco',
            percent=percent,
            **starts[name],
        )
        for name in compared
        for share, percent in few.items()
    },
}
box = _base_.box_metrics
both = {
    **box,
    'mask AP': 'coco/segm_mAP',
    'mask AP50': 'coco/segm_mAP_50',
    'mask AP75': 'coco/segm_mAP_75',
}
# By start: AP, AP50, AP75 of boxes, of masks.
of_few = {
    'random weights': {
        '1%': (2.5, 5.8, 1.7, 2.3, 4.9, 1.8),
        '2%': (4.5, 10.3, 3.2, 4.3, 9.3, 3.5),
        '5%': (9.2, 18.6, 7.9, 8.8, 16.9, 8.1),
        '10%': (10.1, 20.2, 9.1, 9.8, 18.6, 9.2),
    },
    'supervised': {
        '1%': (10.0, 19.9, 9.2, 9.7, 18.3, 9.2),
        '2%': (13.7, 26.6, 12.8, 13.0, 24.2, 12.6),
        '5%': (19.9, 37.0, 19.3, 18.6, 33.7, 18.4),
        '10%': (23.8, 42.8, 23.9, 22.2, 39.6, 22.3),
    },
    'MoCo v2': {
        '1%': (9.9, 18.7, 9.5, 9.5, 17.2, 9.2),
        '2%': (13.8, 25.3, 13.4, 12.9, 23.3, 12.7),
        '5%': (20.6, 36.6, 21.0, 19.1, 33.7, 19.2),
        '10%': (24.1, 42.0, 24.8, 22.5, 39.1, 23.3),
    },
    'DetCo': {
        '1%': (12.4, 23.5, 11.8, 12.1, 21.9, 12.0),
        '2%': (16.0, 29.6, 15.6, 15.3, 27.4, 15.1),
        '5%': (21.9, 39.1, 22.2, 20.4, 36.1, 20.6),
        '10%': (26.0, 45.2, 27.0, 24.3, 42.0, 25.0),
    },
}
of_full = {
    'random weights': {
        'C4, 180k': (35.6, 54.6, 38.2, 31.4, 51.5, 33.5),
        'FPN, 180k': (36.7, 56.7, 40.0, 33.7, 53.8, 35.9),
    },
    'supervised': {
        'C4, 180k': (40.0, 59.9, 43.1, 34.7, 56.5, 36.9),
        'FPN, 180k': (40.6, 61.3, 44.4, 36.8, 58.1, 39.5),
    },
    'MoCo v2': {
        'C4, 180k': (41.0, 60.6, 44.5, 35.6, 57.2, 38.0),
        'FPN, 180k': (40.9, 61.5, 44.7, 37.0, 58.7, 39.8),
    },
    'DetCo': {
        'C4, 180k': (41.3, 61.2, 45.0, 35.8, 57.9, 38.2),
        'FPN, 180k': (41.5, 62.5, 45.6, 37.7, 59.5, 40.5),
    },
}
of_lvis = {
    'random weights': (19.6, 31.8, 20.9, 19.0, 29.8, 20.1),
    'supervised': (22.7, 36.8, 24.1, 22.2, 34.6, 23.5),
    'MoCo v2': (23.2, 37.4, 24.7, 22.8, 35.1, 24.4),
    'DetCo': (23.5, 37.7, 24.8, 23.0, 35.5, 24.5),
}
of_voc = {
    'detco-w0001': (56.3, 81.8, 62.1),
    'detco-w1111-norm': (55.1, 80.4, 60.4),
    'detco-w1111': (55.8, 81.6, 62.2),
    'detco-norm': (56.5, 82.2, 62.7),
    'detco': (57.0, 82.2, 63.1),
    'detco-shared-bank': (56.2, 81.8, 62.3),
    'detco-gg': (56.0,),
    'detco-gg-gl': (56.2,),
    'detco, 50 epochs': (56.5,),
}
tables = [
    *(
        dict(
            title=title,
            rows={name: {task: f'{name}, {task}' for task in tasks} for name in compared},
            metrics=both,
            paper={
                name: {task: dict(zip(both, values)) for task, values in by.items()}
                for name, by in numbers.items()
            },
        )
        for title, tasks, numbers in (
            ('Mask R-CNN FPN, share of COCO (tables I and II)', few, of_few),
            ('Mask R-CNN, COCO (table III)', full, of_full),
        )
    ),
    dict(
        title='LVIS v1 (table IV)',
        rows={name: {'': f'{name}, LVIS'} for name in compared},
        metrics={
            'AP': 'lvis/bbox_AP',
            'AP50': 'lvis/bbox_AP50',
            'AP75': 'lvis/bbox_AP75',
            'mask AP': 'lvis/segm_AP',
            'mask AP50': 'lvis/segm_AP50',
            'mask AP75': 'lvis/segm_AP75',
        },
        paper={name: {'': dict(zip(both, values))} for name, values in of_lvis.items()},
    ),
    dict(
        title='COCO, shorter and with RetinaNet',
        rows={name: {task: f'{name}, {task}' for task in others} for name in compared},
        metrics=dict(AP='coco/bbox_mAP'),
    ),
    dict(
        title='VOC 07+12 (tables V to VII)',
        rows={name: {'VOC': f'{name}, VOC'} for name in starts},
        metrics=box,
        paper={name: {'VOC': dict(zip(box, values))} for name, values in of_voc.items()},
    ),
]
