# L_Cos on the finest level, stride 16, which has 80 cells of an image where the coarsest has 6. The
# paper takes the coarsest.
_base_ = '../pixcon_deformable-detr_r18_1xb8-12e_scenes.py'
model = dict(levels=(0,))
