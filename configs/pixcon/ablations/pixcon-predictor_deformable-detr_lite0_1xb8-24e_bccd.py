# L_Cos through a predictor after the transformer encoder, which the paper does not have: the
# encoder need not give back what it is given.
_base_ = '../pixcon_deformable-detr_lite0_1xb8-24e_bccd.py'
model = dict(predictor=_base_.pixcon_predictor)
