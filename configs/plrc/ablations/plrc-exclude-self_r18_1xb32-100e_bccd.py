# The small PLRC where no key is the point itself.
_base_ = '../plrc_r18_1xb32-100e_bccd.py'
model = dict(affinity_loss=dict(exclude_self=True))
