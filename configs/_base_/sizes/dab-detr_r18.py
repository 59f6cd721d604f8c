# DAB-DETR and DN-DETR for a laptop, which have no dropout.
_base_ = 'one-level_r18.py'
