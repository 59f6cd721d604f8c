# DetCo with ResNet-18.
_base_ = 'detco_r50_8xb32-200e_imagenet.py'
model = dict(backbone=dict(depth=18), head=dict(in_channels=[64, 128, 256, 512]))
