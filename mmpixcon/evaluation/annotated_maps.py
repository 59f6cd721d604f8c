"""Feature maps of annotated images, for measures that need no training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from mmpixcon.registry import MODELS


@torch.no_grad()
def annotated_maps(
    backbone: nn.Module,
    loader: Iterable[dict],
    mean: Sequence[float],
    std: Sequence[float],
    bgr_to_rgb: bool,
    device: torch.device | str = 'cpu',
) -> Iterator[tuple[Tensor, tuple[int, int], list[DetDataSample]]]:
    """Pass batches of an mmdet data set through a backbone.

    Args:
        backbone (nn.Module): In evaluation mode; its last map counts.
        loader (Iterable[dict]): Batches whose pipeline ends in ``PackDetInputs``.
        mean (Sequence[float]): mean of each channel that the backbone takes.
        std (Sequence[float]): deviation of each of them.
        bgr_to_rgb (bool): Whether it takes RGB.
        device (torch.device | str): device that the backbone is on.

    Yields:
        tuple: Maps (N, C, h, w), the size (H, W) in pixels of the padded batch
        that they cover, and the samples with their annotations.
    """
    settings = dict(mean=list(mean), std=list(std), bgr_to_rgb=bgr_to_rgb)
    preprocessor = MODELS.build(dict(type='mmdet.DetDataPreprocessor', **settings)).to(device)
    for data in loader:
        data = preprocessor(data)
        images = data['inputs']
        yield backbone(images)[-1], tuple(images.shape[2:]), data['data_samples']
