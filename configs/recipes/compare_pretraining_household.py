# Pretraining on photos of the kind that ImageNet has: Faster R-CNN on household photos with 10 %
# of the labels, from random weights and after VICReg (half a ResNet-18), and from
# EfficientNet-Lite0 as ImageNet leaves it and after VICReg. Pretrained once, fine-tuned with three
# seeds.
from mmpixcon.recipes import pretrain_then, rows_of

seeds = (0, 1, 2)
data = dict(household='data/household/')


def starts_of(name, others):
    """Tasks of a backbone: from VICReg's weights, and from others."""
    config = f'../finetune/faster-rcnn_{name}_fpn_1xb4-200i_household.py'
    tasks = {'10%': dict(config=config, data='household', percent=10)}
    after = dict(init={'model.backbone.init_cfg.checkpoint': f'VICReg {name}'})
    return pretrain_then({**others, f'{name}, VICReg': after}, tasks)


imagenet = {
    'model.backbone.init_cfg.checkpoint': 'efficientnet-lite://lite0',
    'model.backbone.init_cfg.prefix': None,
}
random_weights = {'model.backbone.init_cfg': None}
stages = {
    'VICReg r18': dict(
        config='../vicreg/vicreg_r18_1xb32-10e_household.py', data='household', seeds=(0,)
    ),
    'VICReg lite0': dict(
        config='../vicreg/vicreg_lite0_1xb32-10e_household.py', data='household', seeds=(0,)
    ),
    **starts_of('r18', {'r18, random weights': dict(options=random_weights)}),
    **starts_of('lite0', {'lite0, ImageNet': dict(options=imagenet)}),
}
rows = ['r18, random weights', 'r18, VICReg', 'lite0, ImageNet', 'lite0, VICReg']
tables = [
    dict(
        title='Faster R-CNN, household photos, 10 % of the labels',
        rows=rows_of(rows, ['10%']),
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
