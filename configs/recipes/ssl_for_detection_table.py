# Table 1 of "Self-supervised learning for Object Detection": Barlow Twins and VICReg to Faster
# R-CNN and DETR, one also pretrained by UP-DETR; ImageNet and COCO in place of the paper's data.
_base_ = 'paths.py'
backbone = 'model.backbone.init_cfg.checkpoint'
pretrained = {
    'Barlow Twins R50': '../barlow_twins/barlowtwins_r50_8xb256-150e_imagenet.py',
    'Barlow Twins Swin-T': '../barlow_twins/barlowtwins_swin-t_8xb128-150e_imagenet.py',
    'VICReg R50': '../vicreg/vicreg_r50_8xb256-100e_imagenet.py',
    'VICReg Swin-T': '../vicreg/vicreg_swin-t_8xb128-100e_imagenet.py',
}
faster_rcnn = {
    'Barlow Twins R50': '../finetune/faster-rcnn_r50_fpn_8xb2-40e_coco.py',
    'Barlow Twins Swin-T': '../finetune/faster-rcnn_swin-t_fpn_8xb2-35e_coco.py',
    'VICReg R50': '../finetune/faster-rcnn_r50_fpn_8xb2-40e_coco.py',
    'VICReg Swin-T': '../finetune/faster-rcnn_swin-t_fpn_8xb2-35e_coco.py',
}
twins = 'Barlow Twins R50'
detr = dict(config='../finetune/detr_r50_8xb2-150e_coco.py', data='coco', normalize_as=twins)

stages = {}
for name, config in pretrained.items():
    stages[name] = dict(config=config, data='imagenet')
stages[f'{twins}, UP-DETR'] = dict(
    config='../updetr/updetr_detr_r50_32xb8-20e_imagenet.py',
    data='imagenet',
    init={'model.detector.backbone.init_cfg.checkpoint': twins},
    normalize_as=twins,
)
compared = []
for name, config in faster_rcnn.items():
    run = f'{name}, Faster R-CNN'
    compared.append(run)
    stages[run] = dict(config=config, data='coco', init={backbone: name}, normalize_as=name)
stages[f'{twins}, DETR'] = dict(detr, init={backbone: twins})
stages[f'{twins}, DETR (UP-DETR)'] = dict(
    detr, init=dict(load_from=f'{twins}, UP-DETR'), options={'model.backbone.init_cfg': None}
)
compared += [f'{twins}, DETR', f'{twins}, DETR (UP-DETR)']

tables = [
    dict(
        title='COCO (table 1)',
        rows={name: {'': name} for name in compared},
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
        paper=dict(name='Self-supervised learning for Object Detection', table=1),
    )
]
