# DN-Deformable-DETR, deformable encoder only, on COCO. 12 images on 4 GPUs, as in PixCon's paper.
_base_ = [
    '../_base_/models/dn-deformable-encoder_r50_coco.py',
    '../_base_/mmpixcon_runtime.py',
]
