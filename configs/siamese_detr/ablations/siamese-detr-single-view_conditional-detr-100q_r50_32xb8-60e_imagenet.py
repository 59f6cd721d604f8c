# Siamese DETR, regions looked for in their own view, as UP-DETR does.
_base_ = '../siamese-detr_conditional-detr-100q_r50_32xb8-60e_imagenet.py'
model = dict(head=dict(multi_view=False))
