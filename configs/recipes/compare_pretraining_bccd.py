# Pretraining of a backbone, compared: Faster R-CNN R18 on BCCD with 10 % and all of the labels,
# from random weights and from each method's, pixels normalised as in pretraining.
seeds = (0, 1, 2)
data = dict(bccd='examples/bccd/')

methods = {
    'MoCo v2': '../moco/mocov2_r18_1xb32-100e_bccd.py',
    'DetCo': '../detco/detco_r18_1xb32-100e_bccd.py',
    'PLRC': '../plrc/plrc_r18_1xb32-100e_bccd.py',
    'PLRC, region level': '../plrc/ablations/plrc-region-level_r18_1xb32-100e_bccd.py',
    'Barlow Twins': '../barlow_twins/barlowtwins_r18_1xb32-100e_bccd.py',
    'VICReg': '../vicreg/vicreg_r18_1xb32-100e_bccd.py',
}
percents = (10, 100)
faster_rcnn = dict(config='../finetune/faster-rcnn_r18_fpn_1xb4-200i_bccd.py', data='bccd')
backbone = 'model.backbone.init_cfg.checkpoint'

stages = {
    **{name: dict(config=config, data='bccd') for name, config in methods.items()},
    **{
        f'random weights, {percent}%': dict(
            faster_rcnn, percent=percent, options={'model.backbone.init_cfg': None}
        )
        for percent in percents
    },
    **{
        f'{name}, {percent}%': dict(
            faster_rcnn, percent=percent, init={backbone: name}, normalize_as=name
        )
        for name in methods
        for percent in percents
    },
}
tables = [
    dict(
        title='Faster R-CNN R18, BCCD, share of the labels',
        rows={
            name: {f'{percent}%': f'{name}, {percent}%' for percent in percents}
            for name in ('random weights', *methods)
        },
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
