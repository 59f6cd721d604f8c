# Distillation strategy 3, both views by the momentum encoder: table 3 (a).
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
model = dict(affinity_loss=dict(strategy=3))
