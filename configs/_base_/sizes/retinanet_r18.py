# RetinaNet for a laptop.
_base_ = 'fpn_r18.py'
small_detector = dict(
    bbox_head=dict(
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        anchor_generator=dict(octave_base_scale=2),
    )
)
