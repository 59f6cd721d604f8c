# As without "-100q", 100 queries.
_base_ = 'conditional-detr_r50_8xb4-50e_coco.py'
model = dict(num_queries=100)
