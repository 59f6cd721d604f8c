# BYOL's views for pretraining that a detector goes on from ("Self-supervised learning for
# Object Detection", section 2): crops of 40 to 100 % of the image in the place of 8 to 100 %,
# so that a crop keeps what the image shows, and the pixels' own mean and deviation.
_base_ = ['./byol.py']
for view in (_base_.byol_view1, _base_.byol_view2):
    view[0].crop_ratio_range = (0.4, 1.0)
detection_byol_pipeline = [
    _base_.byol_pipeline[0],
    dict(type='mmpixcon.ContrastViews', views=[_base_.byol_view1, _base_.byol_view2]),
    _base_.byol_pipeline[2],
]
# Of the paper's 512,000 images: (0.49, 0.468, 0.414) and (0.286, 0.278, 0.297) of 255. For others:
# tools/dataset_converters/measure_normalization.py.
detection_data_preprocessor = dict(
    mean=(124.95, 119.34, 105.57), std=(72.93, 70.89, 75.735), bgr_to_rgb=True
)
