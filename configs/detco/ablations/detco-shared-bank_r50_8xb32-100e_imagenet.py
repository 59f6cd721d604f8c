# One memory bank for all stages: table VI (a) of the appendix.
_base_ = 'detco-gg_r50_8xb32-100e_imagenet.py'
model = dict(head=dict(share_bank=True))
