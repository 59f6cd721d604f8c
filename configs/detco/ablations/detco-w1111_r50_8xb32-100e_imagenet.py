# Equal weights: table V (c) of the appendix.
_base_ = 'detco-gg_r50_8xb32-100e_imagenet.py'
model = dict(head=dict(weights=(1, 1, 1, 1)))
