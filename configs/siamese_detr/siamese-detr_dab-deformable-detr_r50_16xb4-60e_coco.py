# Siamese DETR on COCO: DAB-Deformable-DETR with 300 queries (table 6, "DAB-DETR").
_base_ = 'siamese-detr_dn-deformable-detr_r50_16xb4-60e_coco.py'
model = dict(detector=dict(dn_cfg=dict(num_groups=0)))
