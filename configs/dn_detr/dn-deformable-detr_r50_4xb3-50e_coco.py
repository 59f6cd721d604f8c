# DN-Deformable-DETR on COCO. 12 images on 4 GPUs, as PixCon's paper trains it.
_base_ = [
    '../_base_/models/dn-deformable-detr_r50_coco.py',
    '../_base_/mmpixcon_runtime.py',
]
