# L_Cos on all three levels, strides 16, 32 and 64, summed. Half the cells a side, half
# the divisor: about as many positives for an anchor.
_base_ = '../pixcon_deformable-detr_r18_1xb8-12e_scenes.py'
model = dict(levels=(0, 1, 2), S=(9.0, 4.5, 2.25))
