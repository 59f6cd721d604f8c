# DetCo's detection tables: MoCo v2 and DetCo (200 epochs) on COCO with four detectors and with few
# labels, on LVIS; and the ablations of tables V to VII on VOC.
_base_ = 'paths.py'
backbone = 'model.backbone.init_cfg.checkpoint'
methods = {
    'MoCo v2': '../moco/mocov2_r50_8xb32-200e_imagenet.py',
    'DetCo': '../detco/detco_r50_8xb32-200e_imagenet.py',
    'DetCo-AA': '../detco/detco-aa_r50_8xb32-200e_imagenet.py',
}
ablations = {
    name: f'../detco/{name}_r50_8xb32-{epochs}e_imagenet.py'
    for name, epochs in {
        'detco-w0001': 100,
        'detco-w1111-norm': 100,
        'detco-w1111': 100,
        'detco-norm': 100,
        'detco': 100,
        'detco-shared-bank': 100,
        'detco-gg': 50,
        'detco-gg-gl': 50,
    }.items()
}
fine = '../finetune/'
tasks = {
    'Mask R-CNN C4, 12k': ('mask-rcnn_r50-c4_8xb2-12k_coco', 'coco'),
    'Mask R-CNN C4, 1x': ('mask-rcnn_r50-c4_8xb2-90k_coco', 'coco'),
    'Mask R-CNN C4, 2x': ('mask-rcnn_r50-c4_8xb2-180k_coco', 'coco'),
    'Mask R-CNN FPN, 12k': ('mask-rcnn_r50_fpn_8xb2-12k_coco', 'coco'),
    'Mask R-CNN FPN, 1x': ('mask-rcnn_r50_fpn_8xb2-90k_coco', 'coco'),
    'Mask R-CNN FPN, 2x': ('mask-rcnn_r50_fpn_8xb2-180k_coco', 'coco'),
    'RetinaNet, 12k': ('retinanet_r50_fpn_8xb2-12k_coco', 'coco'),
    'RetinaNet, 1x': ('retinanet_r50_fpn_8xb2-90k_coco', 'coco'),
    **{
        f'Mask R-CNN FPN, {percent}%': (f'mask-rcnn_r50_fpn_8xb2-12k_coco-{percent}percent', 'coco')
        for percent in (1, 2, 5, 10)
    },
    'LVIS': ('mask-rcnn_r50_fpn_8xb2-180k_lvis-v1', 'lvis'),
}
voc = ('faster-rcnn_r50-c4_8xb2-24k_voc0712', 'voc')
stages = {
    **{
        name: dict(config=config, data='imagenet')
        for name, config in {**methods, **ablations}.items()
    },
    **{
        f'{name}, {task}': dict(config=f'{fine}{config}.py', data=data, init={backbone: name})
        for name in methods
        for task, (config, data) in tasks.items()
    },
    **{
        f'{name}, VOC': dict(config=f'{fine}{voc[0]}.py', data=voc[1], init={backbone: name})
        for name in (*methods, *ablations)
    },
}
AP = dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50', AP75='coco/bbox_mAP_75')
numbers = {
    'detco-w0001': (56.3, 81.8, 62.1),
    'detco-w1111-norm': (55.1, 80.4, 60.4),
    'detco-w1111': (55.8, 81.6, 62.2),
    'detco-norm': (56.5, 82.2, 62.7),
    'detco': (57.0, 82.2, 63.1),
    'detco-shared-bank': (56.2, 81.8, 62.3),
    'detco-gg': (56.0,),
    'detco-gg-gl': (56.2,),
}
tables = [
    dict(
        title='COCO',
        rows={
            name: {task: f'{name}, {task}' for task in tasks if task != 'LVIS'} for name in methods
        },
        metrics=dict(AP='coco/bbox_mAP'),
    ),
    dict(
        title='LVIS v1',
        rows={name: {'LVIS': f'{name}, LVIS'} for name in methods},
        metrics=dict(AP='lvis/bbox_AP'),
    ),
    dict(
        title='VOC 07+12 (tables V to VII)',
        rows={name: {'VOC': f'{name}, VOC'} for name in (*methods, *ablations)},
        metrics=AP,
        paper={name: {'VOC': dict(zip(AP, values))} for name, values in numbers.items()},
    ),
]
