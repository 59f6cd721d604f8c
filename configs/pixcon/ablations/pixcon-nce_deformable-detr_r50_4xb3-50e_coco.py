# L_NCE alone: alpha = 1, beta = 0 in table 1 of the paper.
_base_ = '../pixcon_deformable-detr_r50_4xb3-50e_coco.py'
model = dict(alpha=1.0, beta=0.0)
