# L_NCE in place of L_Cos: alpha = 1, beta = 0.
_base_ = 'pixcon-finest-level_deformable-detr_r18_1xb8-12e_scenes.py'
model = dict(alpha=1.0, beta=0.0)
