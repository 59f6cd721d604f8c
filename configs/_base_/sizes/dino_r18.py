# DINO for a laptop.
_base_ = 'multi-level_r18.py'
small_detector = dict(dn_cfg=dict(group_cfg=dict(num_dn_queries=20)))
