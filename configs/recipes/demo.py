# make demo: does it help to see the photos before their labels? VICReg pretrains a small ResNet on
# BCCD's 205 training photos without labels, then Faster R-CNN is trained with the labels of a tenth
# of them, from that backbone and from random weights. Minutes on two cores.
from mmpixcon.recipes import pretrain_then, rows_of

data = dict(bccd='examples/bccd/')

starts = {
    'random weights': dict(options={'model.backbone.init_cfg': None}),
    'VICReg': dict(init={'model.backbone.init_cfg.checkpoint': 'VICReg'}, normalize_as='VICReg'),
}
faster_rcnn = dict(
    config='../finetune/faster-rcnn_r18_fpn_1xb4-200i_bccd.py', data='bccd', percent=10
)
tasks = {'Faster R-CNN': faster_rcnn}

stages = {
    'VICReg': dict(
        config='../vicreg/vicreg_r18_1xb32-100e_bccd.py',
        data='bccd',
        options={'default_hooks.logger.interval': 6},
    ),
    **pretrain_then(starts, tasks),
}
tables = [
    dict(
        title='Faster R-CNN R18, BCCD, 10 % of the labels',
        rows=rows_of(starts, 'Faster R-CNN'),
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
    )
]
