# L_Cos through a predictor after the transformer encoder, which the paper does not have: the
# encoder need not give back what it is given.
_base_ = 'pixcon-finest-level_deformable-detr_r18_1xb8-12e_scenes.py'
model = dict(predictor=_base_.pixcon_predictor)
