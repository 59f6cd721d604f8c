# PLRC's tables 1 (ImageNet), 2 (COCO) and 3 (ablations): Faster R-CNN C4 on VOC 07+12.
_base_ = 'paths.py'
backbone = 'model.backbone.init_cfg.checkpoint'
AP = dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50', AP75='coco/bbox_mAP_75')
on_imagenet = {
    '200 epochs': 'plrc_r50_8xb32-200e_imagenet',
    '200 epochs, region level': 'plrc-region-level_r50_8xb32-200e_imagenet',
    '100 epochs': 'plrc_r50_8xb32-100e_imagenet',
    **{
        f'100 epochs, {name}': f'plrc-{name}_r50_8xb32-100e_imagenet'
        for name in (
            'strategy2',
            'strategy3',
            'alpha0',
            'alpha0.3',
            'alpha0.7',
            'beta0.3',
            'beta0.5',
            'beta0.9',
            'p8',
            'p32',
            'grid2',
            'grid8',
            'res14',
            'res56',
            'res224',
            'region-level',
            'point-level',
        )
    },
}
on_coco = {'COCO, 800 epochs': 'plrc_r50_8xb32-800e_coco'}
stages = {
    **{n: dict(config=f'../plrc/{c}.py', data='imagenet') for n, c in on_imagenet.items()},
    **{n: dict(config=f'../plrc/{c}.py', data='coco') for n, c in on_coco.items()},
    **{
        f'{name}, VOC': dict(
            config='../finetune/faster-rcnn_r50-c4_8xb2-24k_voc0712.py',
            data='voc',
            init={backbone: name},
        )
        for name in (*on_imagenet, *on_coco)
    },
}
numbers = {
    '200 epochs': (59.4, 83.6, 67.1),
    'COCO, 800 epochs': (57.1, 82.1, 63.8),
    '100 epochs': (58.0, 82.5, 64.7),
    '100 epochs, strategy2': (57.6, 83.0, 64.1),
    '100 epochs, strategy3': (58.0, 82.8, 64.3),
    '100 epochs, alpha0': (57.3, 82.0, 63.8),
    '100 epochs, alpha0.3': (57.5, 82.1, 64.1),
    '100 epochs, alpha0.7': (57.6, 82.3, 64.3),
    '100 epochs, beta0.3': (56.4, 81.5, 62.4),
    '100 epochs, beta0.5': (57.1, 82.1, 63.8),
    '100 epochs, beta0.9': (56.4, 81.5, 62.5),
    '100 epochs, p8': (57.1, 81.8, 63.9),
    '100 epochs, p32': (58.2, 82.7, 65.1),
    '100 epochs, grid2': (57.1, 82.1, 63.7),
    '100 epochs, grid8': (57.6, 82.2, 64.3),
    '100 epochs, res14': (57.3, 81.9, 63.7),
    '100 epochs, res56': (58.0, 82.5, 64.7),
    '100 epochs, res224': (57.2, 82.2, 63.6),
}
tables = [
    dict(
        title='VOC 07+12 (tables 1 to 3)',
        rows={name: {'': f'{name}, VOC'} for name in (*on_imagenet, *on_coco)},
        metrics=AP,
        paper={name: {'': dict(zip(AP, values))} for name, values in numbers.items()},
    )
]
