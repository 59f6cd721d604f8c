# The table of "self-supervised backbones for detection": Barlow Twins and VICReg to Faster R-CNN
# and DETR, on COCO's classes in place of the paper's own data.
_base_ = 'paths.py'
backbone = 'model.backbone.init_cfg.checkpoint'
pretrained = {
    'Barlow Twins R50': '../barlow_twins/barlowtwins_r50_8xb256-150e_imagenet.py',
    'Barlow Twins Swin-T': '../barlow_twins/barlowtwins_swin-t_8xb128-150e_imagenet.py',
    'VICReg R50': '../vicreg/vicreg_r50_8xb256-100e_imagenet.py',
    'VICReg Swin-T': '../vicreg/vicreg_swin-t_8xb128-100e_imagenet.py',
}
faster_rcnn = {
    name: '../finetune/faster-rcnn_swin-t_fpn_8xb2-35e_coco.py'
    if 'Swin' in name
    else '../finetune/faster-rcnn_r50_fpn_8xb2-40e_coco.py'
    for name in pretrained
}
stages = {
    **{name: dict(config=config, data='imagenet') for name, config in pretrained.items()},
    **{
        f'{name}, Faster R-CNN': dict(
            config=config, data='coco', init={backbone: name}, normalize_as=name
        )
        for name, config in faster_rcnn.items()
    },
    'Barlow Twins R50, DETR': dict(
        config='../finetune/detr_r50_8xb2-150e_coco.py',
        data='coco',
        init={backbone: 'Barlow Twins R50'},
        normalize_as='Barlow Twins R50',
    ),
}
tables = [
    dict(
        title='COCO',
        rows={
            **{f'{name}, Faster R-CNN': {'': f'{name}, Faster R-CNN'} for name in pretrained},
            'Barlow Twins R50, DETR': {'': 'Barlow Twins R50, DETR'},
        },
        metrics=dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50'),
        paper={
            'Barlow Twins R50, Faster R-CNN': {'': dict(AP=28.1)},
            'Barlow Twins Swin-T, Faster R-CNN': {'': dict(AP=1.2)},
            'VICReg R50, Faster R-CNN': {'': dict(AP=27.3)},
            'Barlow Twins R50, DETR': {'': dict(AP=0.0)},
        },
    )
]
