# Pretraining of a backbone that knows ImageNet already, compared: Faster R-CNN on BCCD with 10 %
# and all of the labels, from EfficientNet-Lite0 as ImageNet leaves it and after each method, and
# from random weights. Each method is pretrained once, and fine-tuned with three seeds.
from mmpixcon.recipes import pretrain_then, rows_of

seeds = (0, 1, 2)
data = dict(bccd='examples/bccd/')

methods = {
    'MoCo v2': '../moco/mocov2_lite0_1xb32-100e_bccd.py',
    'DetCo': '../detco/detco_lite0_1xb32-100e_bccd.py',
    'PLRC': '../plrc/plrc_lite0_1xb32-100e_bccd.py',
    'Barlow Twins': '../barlow_twins/barlowtwins_lite0_1xb32-100e_bccd.py',
    'VICReg': '../vicreg/vicreg_lite0_1xb32-100e_bccd.py',
}
faster_rcnn = dict(config='../finetune/faster-rcnn_lite0_fpn_1xb4-200i_bccd.py', data='bccd')
shares = {'10%': dict(faster_rcnn, percent=10), '100%': dict(faster_rcnn, percent=100)}
imagenet = {
    'model.backbone.init_cfg.checkpoint': 'efficientnet-lite://lite0',
    'model.backbone.init_cfg.prefix': None,
}
# Everything learns at one rate, with live statistics: there is nothing to keep.
scratch = {
    'model.backbone.init_cfg': None,
    'model.backbone.frozen_stages': 0,
    'model.backbone.norm_eval': False,
    'optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult': 1.0,
}
starts = {'ImageNet': dict(options=imagenet), 'random weights': dict(options=scratch)}
for name in methods:
    starts[f'ImageNet, {name}'] = dict(init={'model.backbone.init_cfg.checkpoint': name})

stages = {}
for name, config in methods.items():
    stages[name] = dict(config=config, data='bccd', seeds=(0,))
stages.update(pretrain_then(starts, shares))
tables = [
    dict(
        title='Faster R-CNN, EfficientNet-Lite0, BCCD, share of the labels',
        rows=rows_of(starts, shares),
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
