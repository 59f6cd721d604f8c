# The paper's projection in place of the stock neck.
_base_ = '../pixcon_detr_r18_1xb8-12e_scenes.py'
model = dict(
    detector=dict(
        neck=dict(
            _delete_=True, type='mmpixcon.PixelProjection', in_channels=[256], out_channels=256
        )
    )
)
