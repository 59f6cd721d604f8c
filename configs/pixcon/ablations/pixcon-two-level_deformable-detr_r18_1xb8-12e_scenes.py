# L_Cos on two levels, strides 16 and 32, summed: the paper's "+". Half the cells a side,
# half the divisor: about as many positives for an anchor.
_base_ = '../pixcon_deformable-detr_r18_1xb8-12e_scenes.py'
model = dict(levels=(0, 1), S=(9.0, 4.5))
