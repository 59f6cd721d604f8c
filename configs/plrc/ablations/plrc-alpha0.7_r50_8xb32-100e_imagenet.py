# Share of L_c 0.7: table 3 (b).
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
model = dict(alpha=0.7)
