# Both losses, less of L_NCE: alpha = 0.2, beta = 1 in table 1 of the paper.
_base_ = '../pixcon_deformable-detr_r50_4xb3-50e_coco.py'
model = dict(alpha=0.2, beta=1.0)
