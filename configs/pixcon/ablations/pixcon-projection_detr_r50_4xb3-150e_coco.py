# The paper's encoder to the letter: its 2-layer projection in place of the stock neck, in both
# encoders. It is normalized over the images of all GPUs: 3 are few. Checkpoints fit DETR
# with this neck.
_base_ = '../pixcon_detr_r50_4xb3-150e_coco.py'
model = dict(
    detector=dict(
        neck=dict(
            _delete_=True,
            type='mmpixcon.PixelProjection',
            in_channels=[2048],
            out_channels=256,
            norm_cfg=dict(type='SyncBN'),
        )
    )
)
