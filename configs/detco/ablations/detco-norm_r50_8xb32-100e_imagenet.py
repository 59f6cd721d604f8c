# The weights divided by their sum: table V (d) of the appendix.
_base_ = 'detco-gg_r50_8xb32-100e_imagenet.py'
model = dict(head=dict(normalize_weights=True))
