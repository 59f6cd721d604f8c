# Pretraining for a laptop: the backbone of the small Faster R-CNN, so that it can be
# fine-tuned there; few keys, since there are few images. Pieces, named small_*.
small_backbone = dict(
    _delete_=True,
    type='mmdet.ResNet',
    depth=18,
    base_channels=32,
    out_indices=(0, 1, 2, 3),
    norm_cfg=dict(type='BN', requires_grad=True),
    norm_eval=False,
    style='pytorch',
)
small_view = 96
small_optim_wrapper = dict(optimizer=dict(lr=0.03))
small_queue_len = 1024
# Few steps: the average must follow sooner.
small_momentum = 0.99
