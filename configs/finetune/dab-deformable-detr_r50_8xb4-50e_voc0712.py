# DAB-Deformable-DETR with 300 queries on VOC 07+12: DN-Deformable-DETR without denoising.
# Table 6 of Siamese DETR, "DAB-DETR".
_base_ = 'dn-deformable-detr_r50_8xb4-50e_voc0712.py'
model = dict(dn_cfg=dict(num_groups=0))
