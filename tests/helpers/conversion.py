"""What tests of conversions share."""

from __future__ import annotations

import torch
from mmengine.config import Config, ConfigDict
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from .configs import CONFIGS


def randomized(module: nn.Module) -> nn.Module:
    """Give every parameter and statistic values of its own, double precision; in evaluation."""
    module.double()
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if not value.is_floating_point():
                continue
            if name.endswith('running_var') or (name.endswith('weight') and value.ndim == 1):
                value.uniform_(0.5, 1.5)
            elif value.ndim > 1:
                value.normal_(std=value[0].numel() ** -0.5)
            else:
                value.normal_(std=0.1)
    module.train(False)
    return module


def backbone(kind: str, width: int = 64) -> nn.Module:
    """A ResNet of a depth and width, or Swin-T, mmdet's, with random weights."""
    if kind == 'swin_t':
        config = dict(type='mmdet.SwinTransformer', out_indices=(3,))
    else:
        config = dict(type='mmdet.ResNet', depth=int(kind[6:]), base_channels=width)
    return randomized(MODELS.build(config))


def detector_config(variant: str, **options: object) -> ConfigDict:
    """A small stock detector over a ResNet-18 of a quarter of its width.

    Args:
        variant (str): 'detr', 'conditional-detr' or 'deformable-detr'; this one with one stage
            and without refinement.
        **options: In place of the config's.
    """
    cfg = Config.fromfile(CONFIGS / 'finetune' / f'{variant}-pretrained_r18_1xb8-12e_scenes.py')
    model = cfg.model
    deformable = variant == 'deformable-detr'
    stages = (2, 3) if deformable else (3,)
    model.backbone = ConfigDict(type='ResNet', depth=18, out_indices=stages, base_channels=16)
    model.neck.in_channels = [16 * 2**stage for stage in stages]
    if deformable:
        model.update(with_box_refine=False, as_two_stage=False)
        model.neck.bias = True
    model.update(options)
    return model


def prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The same under names that begin with a prefix."""
    return {prefix + name: value for name, value in state.items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether names and tensors are the same, bit by bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
