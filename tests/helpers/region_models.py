"""Small detection transformers of every variant, and samples with regions."""

from __future__ import annotations

import copy

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.structures import InstanceData

from mmpixcon.registry import MODELS

from .configs import CONFIGS

VARIANTS = {
    'DETR': 'pixcon_detr',
    'Conditional DETR': 'pixcon_conditional-detr',
    'DAB-DETR': 'pixcon_dab-detr',
    'single-scale Deformable DETR': 'pixcon_deformable-detr-single-scale',
    'multi-scale Deformable DETR': 'pixcon_deformable-detr-multi-scale',
    'two-stage Deformable DETR': 'pixcon_deformable-detr',
    'DINO': 'pixcon_dino',
    'DN-DETR': 'pixcon_dn-detr',
    'DN-Deformable-DETR': 'pixcon_dn-deformable-detr',
}
METHODS = ('SiameseDETR', 'UPDETR', 'DETReg')
SIZE = (64, 96)


def detector(variant: str, num_queries: int = 20) -> ConfigDict:
    """Config of a small stock detector, as the shipped ones have it."""
    cfg = Config.fromfile(CONFIGS / 'pixcon' / f'{VARIANTS[variant]}_r18_1xb8-12e_scenes.py')
    model = cfg.model.detector
    model.update(num_queries=num_queries, test_cfg=dict(max_per_img=num_queries))
    model.encoder.num_layers = 1
    return model


def pretext(method: str, variant: str | ConfigDict = 'Conditional DETR', **options: object):
    """A pretext model, initialized, in training mode."""
    stock = detector(variant) if isinstance(variant, str) else variant
    settings = dict(type=f'mmpixcon.{method}', detector=copy.deepcopy(stock))
    if method != 'DETReg':
        settings['num_regions'] = 4
    model = revert_sync_batchnorm(MODELS.build(settings | options))
    model.init_weights()
    with torch.no_grad():
        # Zero last layers would hide what a query sees.
        for parameter in model.detector.bbox_head.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.train()


def samples(counts=(4, 4), seed=0, crops=16, sizes=(SIZE, (64, 80))) -> list[DetDataSample]:
    """Samples with random regions and crops of them."""
    generator = torch.Generator().manual_seed(seed)
    batch_samples = []
    for count, (height, width) in zip(counts, sizes):
        corner = torch.rand(count, 2, generator=generator) * 30
        side = torch.rand(count, 2, generator=generator) * 25 + 8
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(height, width), batch_input_shape=SIZE, ori_shape=SIZE, img_path='a.jpg'
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.cat([corner, corner + side], 1), labels=torch.zeros(count).long()
        )
        if crops:
            sample.crops = torch.randint(
                256, (count, 3, crops, crops), generator=generator, dtype=torch.uint8
            )
        batch_samples.append(sample)
    return batch_samples


def inputs(method: str, counts=(4, 4), seed=0, **options):
    """What a model's loss takes."""
    generator = torch.Generator().manual_seed(seed + 1)
    views = torch.randn(2, len(counts), 3, *SIZE, generator=generator)
    first = samples(counts, seed, **options)
    if method != 'SiameseDETR':
        return views[0], first
    second = samples(counts, seed + 7, **options)
    return dict(view1=views[0], view2=views[1]), dict(view1=first, view2=second)


def total(losses: dict) -> torch.Tensor:
    """Their sum."""
    return sum(value for name, value in losses.items() if 'loss' in name)


def pairs_of(matching, batch, num_queries=20):
    """Indices of matched queries and of their regions, for each layer and each image."""
    counts = [min(len(sample.gt_instances), num_queries) for sample in batch]
    return [
        list(zip(query.split(counts), box.split(counts)))
        for query, box in zip(matching.query, matching.box)
    ]


def quiet(model):
    """Without dropout, so that runs can be compared."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        elif hasattr(module, 'attn_drop') and isinstance(module.attn_drop, float):
            module.attn_drop = 0.0
    return model
