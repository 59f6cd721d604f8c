# Barlow Twins and VICReg for a laptop, beside pretrain_r18.py. LARS is made for large
# batches: its steps are too small for few of them. Pieces, named small_*.
small_projector = dict(
    in_channels=256, hid_channels=512, out_channels=512, norm_cfg=dict(type='BN1d')
)
small_adam_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=1e-4),
    paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0, bias_decay_mult=0.0),
)
