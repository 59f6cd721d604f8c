"""Small pretext models, and batches for them."""

from __future__ import annotations

import copy

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmselfsup.structures import SelfSupDataSample

from mmpixcon.datasets.transforms import GridRegions
from mmpixcon.registry import MODELS

BACKBONE = dict(type='mmdet.ResNet', depth=18, base_channels=8, out_indices=(3,))


NECK = dict(
    type='mmselfsup.MoCoV2Neck',
    in_channels=64,
    hid_channels=16,
    out_channels=8,
    with_avg_pool=True,
)


def build(cfg):
    init_default_scope('mmselfsup')
    return MODELS.build(copy.deepcopy(cfg)).double().train()


def our_moco(**options):
    cfg = dict(type='mmpixcon.MoCo', backbone=BACKBONE, neck=NECK, queue_len=24, momentum=0.9)
    return build(cfg | options)


def detco(backbone=None, momentum=0.9, **head):
    settings = dict(
        type='mmpixcon.MultiLevelContrastHead',
        in_channels=STAGES,
        hidden_channels=16,
        out_channels=8,
        num_patches=4,
        queue_len=24,
    )
    backbone = backbone or dict(BACKBONE, out_indices=(0, 1, 2, 3))
    return build(
        dict(type='mmpixcon.DetCo', backbone=backbone, head=settings | head, momentum=momentum)
    )


def views(count=2, batch=4):
    shapes = [(batch, 3, 32, 32)] * 2 + [(batch, 4, 3, 16, 16)] * 2
    return [torch.randn(shape).double() for shape in shapes[:count]]


def sgd(model):
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)


def plrc(**options):
    cfg = dict(
        type='mmpixcon.PLRC',
        backbone=BACKBONE,
        neck=NECK,
        queue_len=24,
        momentum=0.9,
        sampler=SAMPLER,
        warmup_epochs=0,
    )
    return build(cfg | options)


def samples(batch=4, apart=(), n=2, size=32, width=None):
    """Views of images of 64 x 48: the left and the right two thirds, mirrored; square ones."""
    width = width or size
    batch_samples = []
    for i in range(batch):
        first = np.diag([width / 42, size / 48, 1.0])
        start = 22 if i not in apart else 2000
        second = np.array(
            [[-width / 42, 0, width * (1 + start / 42)], [0, size / 48, 0], [0, 0, 1]]
        )
        meta = GridRegions(n)(dict(ori_shape=(48, 64)))
        views = dict(homography_matrix=[first, second], img_shape=[(size, width)] * 2)
        batch_samples.append(SelfSupDataSample(metainfo=meta | views))
    return batch_samples


STAGES = [8, 16, 32, 64]


SAMPLER = dict(type='mmpixcon.RegionPoints', resolution=8, num_regions=3, num_points=4)
