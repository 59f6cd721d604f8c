# DetCo's detection tables: from random weights, supervised ones, MoCo v1 and v2 and DetCo (200
# epochs) to COCO with few labels (appendix, tables I and II), COCO (III), LVIS (IV); and the
# ablations of tables V to VII on VOC.
from mmpixcon.recipes import pretrain_then, rows_of

_base_ = 'paths.py'
init = 'model.backbone.init_cfg'
backbone = f'{init}.checkpoint'
methods = {
    'MoCo v1': '../moco/mocov1_r50_8xb32-200e_imagenet.py',
    'MoCo v2': '../moco/mocov2_r50_8xb32-200e_imagenet.py',
    'DetCo': '../detco/detco_r50_8xb32-200e_imagenet.py',
    'DetCo-AA': '../detco/detco-aa_r50_8xb32-200e_imagenet.py',
}
ablations = {
    'detco-w0001': '../detco/ablations/detco-w0001_r50_8xb32-100e_imagenet.py',
    'detco-w1111-norm': '../detco/ablations/detco-w1111-norm_r50_8xb32-100e_imagenet.py',
    'detco-w1111': '../detco/ablations/detco-w1111_r50_8xb32-100e_imagenet.py',
    'detco-norm': '../detco/ablations/detco-norm_r50_8xb32-100e_imagenet.py',
    'detco-gg, 100 epochs': '../detco/ablations/detco-gg_r50_8xb32-100e_imagenet.py',
    'detco-shared-bank': '../detco/ablations/detco-shared-bank_r50_8xb32-100e_imagenet.py',
    'detco-gg': '../detco/ablations/detco-gg_r50_8xb32-50e_imagenet.py',
    'detco-gg-gl': '../detco/ablations/detco-gg-gl_r50_8xb32-50e_imagenet.py',
    'detco, 50 epochs': '../detco/detco_r50_8xb32-50e_imagenet.py',
    'detco, 100 epochs': '../detco/detco_r50_8xb32-100e_imagenet.py',
}
full = {
    'C4, 180k': dict(config='../finetune/mask-rcnn_r50-c4_8xb2-180k_coco.py', data='coco'),
    'FPN, 180k': dict(config='../finetune/mask-rcnn_r50_fpn_8xb2-180k_coco.py', data='coco'),
}
shorter = {
    'Mask R-CNN C4, 12k': dict(config='../finetune/mask-rcnn_r50-c4_8xb2-12k_coco.py', data='coco'),
    'Mask R-CNN C4, 90k': dict(config='../finetune/mask-rcnn_r50-c4_8xb2-90k_coco.py', data='coco'),
    'Mask R-CNN FPN, 12k': dict(
        config='../finetune/mask-rcnn_r50_fpn_8xb2-12k_coco.py', data='coco'
    ),
    'Mask R-CNN FPN, 90k': dict(
        config='../finetune/mask-rcnn_r50_fpn_8xb2-90k_coco.py', data='coco'
    ),
    'RetinaNet, 12k': dict(config='../finetune/retinanet_r50_fpn_8xb2-12k_coco.py', data='coco'),
    'RetinaNet, 90k': dict(config='../finetune/retinanet_r50_fpn_8xb2-90k_coco.py', data='coco'),
}
lvis = dict(config='../finetune/mask-rcnn_r50_fpn_8xb2-180k_lvis-v1.py', data='lvis')
voc = dict(config='../finetune/faster-rcnn_r50-c4_8xb2-24k_voc0712.py', data='voc')
few = {
    f'{percent}%': dict(shorter['Mask R-CNN FPN, 12k'], percent=percent)
    for percent in (1, 2, 5, 10)
}

stages = {}
for name, config in {**methods, **ablations}.items():
    stages[name] = dict(config=config, data='imagenet')
compared = {
    'random weights': dict(options={init: None}),
    'supervised': dict(options={backbone: _base_.supervised, f'{init}.prefix': None}),
}
for name in methods:
    compared[name] = dict(init={backbone: name})
ablated = {}
for name in ablations:
    ablated[name] = dict(init={backbone: name})
stages.update(pretrain_then(compared, {**full, **shorter}))
stages.update(pretrain_then(compared, {'LVIS': lvis}))
stages.update(pretrain_then({**compared, **ablated}, {'VOC': voc}))
stages.update(pretrain_then(compared, few))

box_and_mask = {
    **_base_.box_metrics,
    'mask AP': 'coco/segm_mAP',
    'mask AP50': 'coco/segm_mAP_50',
    'mask AP75': 'coco/segm_mAP_75',
}
tables = [
    dict(
        title='Mask R-CNN FPN, share of COCO (tables I and II)',
        rows=rows_of(compared, few),
        metrics=box_and_mask,
        paper=dict(name='DetCo', table=('I', 'II')),
    ),
    dict(
        title='Mask R-CNN, COCO (table III)',
        rows=rows_of(compared, full),
        metrics=box_and_mask,
        paper=dict(name='DetCo', table='III'),
    ),
    dict(
        title='LVIS v1 (table IV)',
        rows=rows_of(compared, 'LVIS'),
        metrics={
            'AP': 'lvis/bbox_AP',
            'AP50': 'lvis/bbox_AP50',
            'AP75': 'lvis/bbox_AP75',
            'mask AP': 'lvis/segm_AP',
            'mask AP50': 'lvis/segm_AP50',
            'mask AP75': 'lvis/segm_AP75',
        },
        paper=dict(name='DetCo', table='IV'),
    ),
    dict(
        title='COCO, shorter and with RetinaNet',
        rows=rows_of(compared, shorter),
        metrics=dict(AP='coco/bbox_mAP'),
    ),
    dict(
        title='VOC 07+12 (tables V to VII; all of the method for 100 epochs: abstract)',
        rows=rows_of([*compared, *ablated], ['VOC']),
        metrics=_base_.box_metrics,
        paper=dict(name='DetCo', table=('V', 'VI', 'VII', 'abstract')),
    ),
]
