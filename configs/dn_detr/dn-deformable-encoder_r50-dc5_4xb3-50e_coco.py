# DN-Deformable-DETR with ResNet-50's last stage dilated: strides 8, 16, 16, 32.
_base_ = 'dn-deformable-encoder_r50_4xb3-50e_coco.py'
model = dict(backbone=dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)))
