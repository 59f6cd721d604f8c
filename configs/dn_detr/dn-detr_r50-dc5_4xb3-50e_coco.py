# DN-DETR with stride 16: ResNet-50's last stage dilated.
_base_ = 'dn-detr_r50_4xb3-50e_coco.py'
model = dict(backbone=dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)))
