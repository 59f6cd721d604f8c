# Siamese DETR, table 3 (d): multi-view detection and L_r.
_base_ = '../siamese-detr_conditional-detr-100q_r50_32xb8-60e_imagenet.py'
model = dict(head=dict(global_weight=0.0))
