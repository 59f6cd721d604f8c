# Maps upsampled to 56 x 56: table 3 (f).
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
model = dict(sampler=dict(resolution=56))
