# Weights (0, 0, 0, 1): table V (a) of the appendix, where "our method degenerates to MoCo".
_base_ = 'detco-gg_r50_8xb32-100e_imagenet.py'
model = dict(head=dict(weights=(0, 0, 0, 1)))
