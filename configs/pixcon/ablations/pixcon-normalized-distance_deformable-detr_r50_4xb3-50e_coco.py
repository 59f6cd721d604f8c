# Distances of places as shares of the image's width and height: the paper's "normalized spatial
# distance" (equation 3), taken at its word.
_base_ = '../pixcon_deformable-detr_r50_4xb3-50e_coco.py'
model = dict(normalized_distance=True)
