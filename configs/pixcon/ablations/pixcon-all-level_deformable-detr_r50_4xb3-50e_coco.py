# L_Cos on all four levels, strides 8 to 64, summed, which the paper could not afford.
# Half the divisor for half the cells a side: about as many positives for an anchor.
_base_ = '../pixcon_deformable-detr_r50_4xb3-50e_coco.py'
model = dict(levels=(0, 1, 2, 3), S=(72.0, 36.0, 18.0, 9.0))
