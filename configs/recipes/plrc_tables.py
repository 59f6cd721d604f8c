# PLRC's tables 1 (ImageNet), 2 (COCO) and 3 (ablations): Faster R-CNN C4 on VOC 07+12; of tables 1
# and 2 also Mask R-CNN C4 on COCO and FCN on Cityscapes (needs mmsegmentation), beside random and
# supervised weights, MoCo v2 and DetCo. The other methods of the paper have no configs here.
_base_ = 'paths.py'
init = 'model.backbone.init_cfg'
backbone = f'{init}.checkpoint'
moco = '../moco/mocov2_r50_8xb32-200e_imagenet.py'
long = {
    'train_cfg.max_epochs': 800,
    'param_scheduler.CosineAnnealingLR.T_max': 800,
    'param_scheduler.CosineAnnealingLR.end': 800,
}
images = {'train_dataloader.dataset.data_prefix.img_path': 'train2017/'}
on_imagenet = {
    '200 epochs': 'plrc_r50_8xb32-200e_imagenet',
    '200 epochs, region level': 'ablations/plrc-region-level_r50_8xb32-200e_imagenet',
}
ablations = {
    '100 epochs': 'plrc_r50_8xb32-100e_imagenet',
    **{
        f'100 epochs, {name}': f'ablations/plrc-{name}_r50_8xb32-100e_imagenet'
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
pretrained = {
    'MoCo v2, 800 epochs': dict(config=moco, data='imagenet', options=long),
    'DetCo': dict(config='../detco/detco_r50_8xb32-200e_imagenet.py', data='imagenet'),
    **{
        name: dict(config=f'../plrc/{config}.py', data='imagenet')
        for name, config in {**on_imagenet, **ablations}.items()
    },
    'COCO, MoCo v2, 800 epochs': dict(config=moco, data='coco', options={**long, **images}),
    'COCO, 800 epochs': dict(config='../plrc/plrc_r50_8xb32-800e_coco.py', data='coco'),
}
starts = {
    'random weights': dict(options={init: None}),
    'supervised': dict(options={backbone: _base_.supervised, f'{init}.prefix': None}),
    **{name: dict(init={backbone: name}) for name in pretrained},
}
compared = [name for name in starts if name not in ablations]
tasks = {
    'VOC': dict(config='../finetune/faster-rcnn_r50-c4_8xb2-24k_voc0712.py', data='voc'),
    'COCO': dict(config='../finetune/mask-rcnn_r50-c4_8xb2-90k_coco.py', data='coco'),
    'Cityscapes': dict(
        config='../finetune/fcn-d6_r50-d16_8xb2-90k_cityscapes.py', data='cityscapes'
    ),
}
stages = {
    **pretrained,
    **{
        f'{name}, to {task}': dict(**tasks[task], **start)
        for name, start in starts.items()
        for task in tasks
        if task == 'VOC' or name in compared
    },
}
box = _base_.box_metrics
mask = {
    'mask AP': 'coco/segm_mAP',
    'mask AP50': 'coco/segm_mAP_50',
    'mask AP75': 'coco/segm_mAP_75',
}
of_voc = {
    'random weights': (33.8, 60.2, 33.1),
    'supervised': (54.2, 81.6, 59.8),
    'MoCo v2, 800 epochs': (57.6, 82.7, 64.4),
    'DetCo': (57.8, 82.6, 64.2),
    '200 epochs': (59.4, 83.6, 67.1),
    '200 epochs, region level': (58.2,),
    'COCO, MoCo v2, 800 epochs': (54.7, 81.0, 60.6),
    'COCO, 800 epochs': (57.1, 82.1, 63.8),
}
of_ablations = {
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
# The paper has other numbers of random weights in table 2.
of_coco = {
    'random weights': (26.4, 44.0, 27.8, 29.3, 46.9, 30.8),
    'supervised': (38.2, 58.2, 41.2, 33.3, 54.7, 35.2),
    'MoCo v2, 800 epochs': (39.8, 59.8, 43.6, 36.1, 56.9, 38.7),
    'DetCo': (39.8, 59.7, 43.0, 34.7, 56.3, 36.7),
    '200 epochs': (40.7, 60.4, 44.7, 36.9, 57.4, 39.6),
    'COCO, MoCo v2, 800 epochs': (38.5, 58.1, 42.1, 34.8, 55.3, 37.3),
    'COCO, 800 epochs': (39.8, 59.6, 43.7, 35.9, 56.9, 38.6),
}
of_cityscapes = {
    'random weights': 65.3,
    'supervised': 73.7,
    'MoCo v2, 800 epochs': 76.2,
    'DetCo': 76.5,
    '200 epochs': 77.0,
    'COCO, MoCo v2, 800 epochs': 73.8,
    'COCO, 800 epochs': 75.9,
}
tables = [
    *(
        dict(
            title=title,
            rows={name: {'': f'{name}, to {task}'} for name in names},
            metrics=metrics,
            paper={name: {'': dict(zip(metrics, values))} for name, values in numbers.items()},
        )
        for title, task, names, metrics, numbers in (
            ('VOC 07+12 (tables 1 and 2)', 'VOC', compared, box, of_voc),
            ('Mask R-CNN C4, COCO (tables 1 and 2)', 'COCO', compared, {**box, **mask}, of_coco),
            (
                'Cityscapes (tables 1 and 2)',
                'Cityscapes',
                compared,
                dict(mIoU='mIoU'),
                {name: (value,) for name, value in of_cityscapes.items()},
            ),
            ('VOC 07+12 (table 3)', 'VOC', [*ablations], box, of_ablations),
        )
    ),
]
