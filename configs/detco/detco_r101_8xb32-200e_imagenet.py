# DetCo with ResNet-101.
_base_ = 'detco_r50_8xb32-200e_imagenet.py'
model = dict(backbone=dict(depth=101))
