# Pretraining of a backbone, compared: Faster R-CNN R18 on BCCD with 10 % and all of the labels,
# from random weights and from each method's, pixels normalized as in pretraining.
from mmpixcon.recipes import pretrain_then, rows_of

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
faster_rcnn = dict(config='../finetune/faster-rcnn_r18_fpn_1xb4-200i_bccd.py', data='bccd')
shares = {'10%': dict(faster_rcnn, percent=10), '100%': dict(faster_rcnn, percent=100)}
starts = {'random weights': dict(options={'model.backbone.init_cfg': None})}
for name in methods:
    starts[name] = dict(init={'model.backbone.init_cfg.checkpoint': name}, normalize_as=name)

stages = {}
for name, config in methods.items():
    stages[name] = dict(config=config, data='bccd')
stages.update(pretrain_then(starts, shares))
tables = [
    dict(
        title='Faster R-CNN R18, BCCD, share of the labels',
        rows=rows_of(starts, shares),
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
