# Deformable DETR for a laptop, and what learning from scratch within minutes needs: two
# stages with box refinement (as mmdet's deformable-detr-refine-twostage config), no dropout.
_base_ = 'multi-level_r18.py'
small_detector = dict(
    with_box_refine=True,
    as_two_stage=True,
    encoder=dict(layer_cfg=dict(ffn_cfg=dict(ffn_drop=0.0))),
    decoder=dict(layer_cfg=dict(self_attn_cfg=dict(dropout=0.0), ffn_cfg=dict(ffn_drop=0.0))),
)
