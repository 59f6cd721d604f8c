"""What tells features that collapse from features that learn."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def spread(unit: Tensor) -> Tensor:
    """Deviation of unit vectors, scaled: 1 if they are isotropic, 0 if they collapsed.

    Args:
        unit (Tensor): Rows of unit length, (N, C).

    Returns:
        Tensor: Scalar.
    """
    return unit.float().std(dim=0, unbiased=False).mean() * unit.shape[1] ** 0.5
