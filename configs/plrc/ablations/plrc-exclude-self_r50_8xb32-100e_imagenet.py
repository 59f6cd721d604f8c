# No key is the point itself: not in the paper, whose equation (3) as printed has it among the keys.
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
model = dict(affinity_loss=dict(exclude_self=True))
