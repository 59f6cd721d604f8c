"""What the pixel losses share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..contrast.correspondence import PixelPairs

# Floor of a feature's norm in l2(.), as the eps of F.normalize.
NORM_EPS = 1e-6


def unit_rows(features: Tensor) -> tuple[Tensor, Tensor]:
    """l2(.) of each row.

    Args:
        features (Tensor): (n, C).

    Returns:
        tuple[Tensor, Tensor]: (n, C) rows of unit length and (n, 1) norms, not
        below ``NORM_EPS``.
    """
    norm = torch.linalg.vector_norm(features, dim=1, keepdim=True).clamp_(min=NORM_EPS)
    return features / norm, norm


def average_over_images(
    image_loss: Callable[..., Tensor],
    query: Tensor,
    key: Tensor,
    pairs: list[PixelPairs],
    *args: float,
) -> Tensor:
    """Mean over images of a pixel loss, in full precision under autocast.

    Args:
        image_loss (Callable): ``(query, key, pairs, *args) -> scalar`` of one
            image, (C, h * w) and (C, h', w').
        query (Tensor): (N, C, h, w).
        key (Tensor): (N, C, h', w'); detached here.
        pairs (list[PixelPairs]): Geometry of the N images.
        *args: Passed on.

    Returns:
        Tensor: Scalar.

    Raises:
        ValueError: Shapes of maps and geometry do not fit.
    """
    if query.shape[:2] != key.shape[:2] or len(pairs) != len(query):
        raise ValueError(
            'Pixel losses need maps of equal batch and channels and one PixelPairs an image, '
            f'got {tuple(query.shape)}, {tuple(key.shape)} and {len(pairs)} pairs'
        )
    for pair in pairs:
        if pair.query.map_shape != query.shape[2:] or pair.key.map_shape != key.shape[2:]:
            raise ValueError(
                f'PixelPairs of maps {pair.query.map_shape} and {pair.key.map_shape} '
                f'do not fit maps {tuple(query.shape[2:])} and {tuple(key.shape[2:])}'
            )
    if query.dtype != torch.float64:
        query = query.float()
    key = key.detach().to(query.dtype)
    with torch.autocast(query.device.type, enabled=False):
        images = zip(query.flatten(2), key, pairs)
        losses = [image_loss(*image, *args) for image in images]
        return torch.stack(losses).mean()
