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
small_optim_wrapper = dict(optimizer=dict(lr=0.01))
# Fewer keys than photos. Few steps, so the average must follow sooner.
small_queue_len = 192
small_momentum = 0.99
# What tells BCCD's photos apart is their stain: under MoCo v2's color no method learns
# to (in a batch of 32, a key is found by its query 5 times in 100 after 40 epochs, 40
# times under this one).
small_color = [
    dict(type='mmpixcon.ColorJitter', brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02),
    dict(type='mmpixcon.RandomGaussianBlur', sigma=(0.1, 1.0), prob=0.5),
]
