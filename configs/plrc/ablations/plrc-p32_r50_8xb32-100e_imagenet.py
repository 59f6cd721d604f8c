# 32 points of a mask and view: table 3 (d).
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
model = dict(sampler=dict(num_points=32))
