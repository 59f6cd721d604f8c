"""How far the states of queries depend on the image."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.detectors import DetectionTransformer
from mmdet.structures import SampleList
from torch import Tensor, nn


@torch.no_grad()
def image_share(states: Tensor) -> Tensor:
    """Measure the share of the variance of queries' states that lies between images.

    The variance of all states of a batch is that of a query between images, averaged over queries,
    and that of the queries' means. This is the first of the two in shares of both.

    Args:
        states (Tensor): states of the same queries in N images, (N, Q, C).

    Returns:
        Tensor: scalar in [0, 1]: 0 if each image has the same states, 1 if all queries of an image
        have. NaN if nothing varies.
    """
    states = states.float()
    between_images = states.var(0, correction=0).mean(0)
    between_queries = states.mean(0).var(0, correction=0)
    return between_images.sum() / (between_images + between_queries).sum()


@torch.no_grad()
def queries_of(detector: nn.Module, inputs: Tensor, samples: SampleList) -> tuple[Tensor, Tensor]:
    """Run a detection transformer and read what its decoder makes of the object queries.

    Args:
        detector (nn.Module): detection transformer of mmdet's, in evaluation mode.
        inputs (Tensor): normalized images, (N, 3, H, W).
        samples (SampleList): samples of the N images.

    Returns:
        tuple[Tensor, Tensor]: States after the last layer, (N, Q, C), and boxes, (N, Q, 4), as
        cx, cy, w, h in shares of the image.

    Raises:
        ValueError: The detector is no detection transformer.
    """
    if not isinstance(detector, DetectionTransformer):
        raise ValueError(
            f'{type(detector).__name__} has no decoder with object queries: give the config of a '
            'detection transformer, such as DETR or Deformable DETR'
        )
    model: Any = detector
    head_inputs = model.forward_transformer(model.extract_feat(inputs), samples)
    boxes = model.bbox_head(**head_inputs)[1]
    return head_inputs['hidden_states'][-1], boxes[-1]
