# PixCon on two-stage Deformable DETR with box refinement.
_base_ = 'pixcon_deformable-detr_r50_4xb3-50e_coco.py'
model = dict(detector=dict(with_box_refine=True, as_two_stage=True))
