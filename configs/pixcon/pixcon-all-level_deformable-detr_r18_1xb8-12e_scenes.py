# L_Cos on all three levels, strides 16, 32 and 64, summed.
_base_ = 'pixcon_deformable-detr_r18_1xb8-12e_scenes.py'
model = dict(levels=(0, 1, 2))
