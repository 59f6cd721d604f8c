# Siamese DETR on ImageNet: Conditional DETR with 300 queries (table 1).
_base_ = 'siamese-detr_conditional-detr-100q_r50_32xb8-60e_imagenet.py'
model = dict(detector=dict(num_queries=300))
