# The example of a method, around a stock Faster R-CNN on the built-in scenes.
_base_ = [
    'mmpixcon::stock/faster-rcnn_r18_fpn_1xb8-12e_scenes.py',
    'mmpixcon::_base_/mmpixcon_runtime.py',
]
custom_imports = dict(imports=['mmpixcon', 'mean_feature'], allow_failed_imports=False)
model = dict(_delete_=True, type='mmpixcon.MeanFeatureDetector', detector=_base_.model, weight=0.5)
