# Share of the point losses 0.9: table 3 (c).
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
model = dict(beta=0.9)
