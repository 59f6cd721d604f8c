# PLRC's tables 1 (ImageNet), 2 (COCO), 3 (ablations) and figure 5 (points of a region): Faster R-CNN
# C4 on VOC 07+12; of tables 1 and 2 also Mask R-CNN C4 on COCO and FCN on Cityscapes (needs
# mmsegmentation), beside random and supervised weights, MoCo v1 and v2, SimCLR, BYOL and DetCo. The
# other methods of the paper have no configs here.
from mmpixcon.recipes import pretrain_then, rows_of

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
    'MoCo v1, 200 epochs': dict(
        config='../moco/mocov1_r50_8xb32-200e_imagenet.py', data='imagenet'
    ),
    'SimCLR, 1000 epochs': dict(
        config='../stock/simclr_r50_16xb256-1000e_imagenet.py', data='imagenet'
    ),
    'MoCo v2, 800 epochs': dict(config=moco, data='imagenet', options=long),
    'DetCo': dict(config='../detco/detco_r50_8xb32-200e_imagenet.py', data='imagenet'),
    '200 epochs': dict(config='../plrc/plrc_r50_8xb32-200e_imagenet.py', data='imagenet'),
    '200 epochs, region level': dict(
        config='../plrc/ablations/plrc-region-level_r50_8xb32-200e_imagenet.py', data='imagenet'
    ),
}
ablations = {
    '100 epochs': dict(config='../plrc/plrc_r50_8xb32-100e_imagenet.py', data='imagenet'),
}
for name in (
    # Not in the paper: see exclude_self.
    'exclude-self',
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
):
    ablations[f'100 epochs, {name}'] = dict(
        config=f'../plrc/ablations/plrc-{name}_r50_8xb32-100e_imagenet.py', data='imagenet'
    )
on_coco = {
    'COCO, MoCo v2, 800 epochs': dict(config=moco, data='coco', options={**long, **images}),
    'COCO, BYOL, 800 epochs': dict(
        config='../stock/byol_r50_8xb32-accum16-800e_coco.py', data='coco'
    ),
    'COCO, 800 epochs': dict(config='../plrc/plrc_r50_8xb32-800e_coco.py', data='coco'),
}
# Without L_a, beside region level, which has none.
numbers_of_points = {
    f'100 epochs, {points} points': dict(
        config='../plrc/plrc_r50_8xb32-100e_imagenet.py',
        data='imagenet',
        options={'model.sampler.num_points': points, 'model.alpha': 1.0},
    )
    for points in (2, 4, 8, 16, 32, 64)
}
pretrained = {**on_imagenet, **ablations, **numbers_of_points, **on_coco}
starts = {
    'random weights': dict(options={init: None}),
    'supervised': dict(options={backbone: _base_.supervised, f'{init}.prefix': None}),
}
for name in pretrained:
    starts[name] = dict(init={backbone: name})
on_voc_alone = {**ablations, **numbers_of_points}
compared = [name for name in starts if name not in on_voc_alone]
voc = {'to VOC': dict(config='../finetune/faster-rcnn_r50-c4_8xb2-24k_voc0712.py', data='voc')}
tasks = {
    **voc,
    'to COCO': dict(config='../finetune/mask-rcnn_r50-c4_8xb2-90k_coco.py', data='coco'),
    'to Cityscapes': dict(
        config='../finetune/fcn-d6_r50-d16_8xb2-90k_cityscapes.py', data='cityscapes'
    ),
}
stages = {**pretrained}
for name, start in starts.items():
    stages.update(pretrain_then({name: start}, voc if name in on_voc_alone else tasks))

tables = [
    dict(
        title='VOC 07+12 (tables 1 and 2)',
        rows=rows_of(compared, 'to VOC'),
        metrics=_base_.box_metrics,
        paper=dict(name='PLRC', table=(1, 2, 'section 4.4'), dataset='PASCAL VOC 07+12'),
    ),
    dict(
        title='Mask R-CNN C4, COCO (tables 1 and 2)',
        rows=rows_of(compared, 'to COCO'),
        metrics={
            **_base_.box_metrics,
            'mask AP': 'coco/segm_mAP',
            'mask AP50': 'coco/segm_mAP_50',
            'mask AP75': 'coco/segm_mAP_75',
        },
        # The paper has other numbers of random weights in table 2.
        paper=dict(name='PLRC', table=(1, 2), dataset='COCO, Mask R-CNN C4'),
    ),
    dict(
        title='Cityscapes (tables 1 and 2)',
        rows=rows_of(compared, 'to Cityscapes'),
        metrics=dict(mIoU='mIoU'),
        paper=dict(name='PLRC', table=(1, 2), dataset='Cityscapes'),
    ),
    dict(
        title='VOC 07+12 (table 3)',
        rows=rows_of(ablations, 'to VOC'),
        metrics=_base_.box_metrics,
        paper=dict(name='PLRC', table=3),
    ),
    dict(
        title='VOC 07+12, points of a region (figure 5)',
        rows=rows_of([*numbers_of_points, '100 epochs, region-level'], 'to VOC'),
        metrics=dict(AP='coco/bbox_mAP'),
        paper=dict(name='PLRC', table='figure 5'),
    ),
]
