# Maps upsampled to 224 x 224: table 3 (f).
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
model = dict(sampler=dict(resolution=224))
