# Single-scale Deformable DETR for a laptop: the cells, layers and queries of the small DETR,
# without dropout, since it learns from scratch.
_base_ = 'one-level_r18.py'
small_detector = dict(
    encoder=dict(layer_cfg=dict(ffn_cfg=dict(ffn_drop=0.0))),
    decoder=dict(layer_cfg=dict(self_attn_cfg=dict(dropout=0.0), ffn_cfg=dict(ffn_drop=0.0))),
)
