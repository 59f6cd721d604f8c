# DETR R50, 150 epochs, mmdet's, from Barlow Twins or VICReg. From a whole DETR, pretrained by
# UP-DETR on such a backbone: --cfg-options load_from=PATH model.backbone.init_cfg=None
_base_ = [
    'mmdet::detr/detr_r50_8xb2-150e_coco.py',
    '../_base_/views/detection_byol.py',
    '../_base_/schedules/finetune.py',
]
dataset_name = 'COCO'
model = dict(
    data_preprocessor=_base_.detection_data_preprocessor,
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.'),
    ),
)
custom_imports = _base_.finetune_imports
custom_hooks = _base_.finetune_hooks
