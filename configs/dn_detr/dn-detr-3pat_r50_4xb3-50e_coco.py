# DN-DETR with three learned patterns for each anchor, as Anchor DETR.
_base_ = 'dn-detr_r50_4xb3-50e_coco.py'
model = dict(num_patterns=3)
