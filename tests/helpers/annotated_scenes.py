"""Annotated scenes as batches, and a runner with hooks that measure."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from mmengine.config import Config

from mmpixcon.registry import MODELS

CLASSES = ('disc', 'triangle', 'ring', 'cross')


def loader(root, split, indices, classes=CLASSES):
    return dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='CocoDataset',
            data_root=str(root),
            ann_file=f'annotations/{split}.json',
            data_prefix=dict(img=f'{split}/'),
            metainfo=dict(classes=classes),
            indices=indices,
            test_mode=True,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='PackDetInputs'),
            ],
        ),
    )


def runner(bgr_to_rgb=True, cfg=None):
    model = torch.nn.Module()
    model.backbone = Oracle()
    model.data_preprocessor = MODELS.build(
        dict(
            type='mmselfsup.SelfSupDataPreprocessor',
            mean=(123.675, 116.28, 103.53),
            std=(58.395, 57.12, 57.375),
            bgr_to_rgb=bgr_to_rgb,
        )
    )
    return SimpleNamespace(model=model.train(), cfg=cfg or Config())


class Oracle(torch.nn.Module):
    """A map that knows nothing but brightness."""

    def forward(self, images):
        return (torch.cat([images, images.mean(1, keepdim=True)], 1)[:, :, ::4, ::4],)
