"""How far the states of queries depend on the image."""

from __future__ import annotations

import torch
from torch import Tensor


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
