# L_Cos on the two coarsest levels, strides 32 and 64, summed: the paper's "+".
# Half the divisor for half the cells a side: about as many positives for an anchor.
_base_ = '../pixcon_deformable-detr_r50_4xb3-50e_coco.py'
model = dict(levels=(-2, -1), S=(18.0, 9.0))
