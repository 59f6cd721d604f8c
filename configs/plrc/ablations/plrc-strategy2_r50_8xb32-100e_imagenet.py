# Distillation strategy 2, teacher A_ik', student A_i'k': table 3 (a).
_base_ = '../plrc_r50_8xb32-100e_imagenet.py'
model = dict(affinity_loss=dict(strategy=2))
