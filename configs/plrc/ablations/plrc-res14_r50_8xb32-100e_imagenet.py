# Maps upsampled to 14 x 14: table 3 (f).
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
model = dict(sampler=dict(resolution=14))
