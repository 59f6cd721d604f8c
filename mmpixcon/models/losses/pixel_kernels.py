"""The choice whether the pixel losses run Triton kernels."""

from __future__ import annotations

import functools
import importlib
import warnings
from types import ModuleType

import torch
from torch import Tensor


def kernels_for(features: Tensor) -> ModuleType | None:
    """Kernels for features of some type, on some device.

    Args:
        features (Tensor): (..., C).

    Returns:
        ModuleType, optional: ``pixel_triton``; None, where PyTorch has to do: on a CPU, in float64,
        without Triton or where it does not work.
    """
    if not features.is_cuda or features.dtype != torch.float32:
        return None
    return _working_kernels(features.device)


@functools.cache
def _working_kernels(device: torch.device) -> ModuleType | None:
    """The kernels if they can be built for a device; warns, once, if not."""
    try:
        kernels = importlib.import_module('.pixel_triton', __package__)
    except ImportError:
        return None
    try:
        places = torch.zeros(1, 2, 2, dtype=torch.float64, device=device)
        features = torch.zeros(1, 2, 256, device=device)
        kernels.positive_sums(places, places, places[0, 0, :1], features)
        anchors = torch.zeros(2, dtype=torch.long, device=device)
        kernels.nce_rows(
            features[0, :, :2].contiguous(), anchors, *places, *places, places[0, 0, 0]
        )
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:
        warnings.warn(
            f'Triton does not work on {device}, so that pixel losses take the slower PyTorch '
            f'version: {type(error).__name__}: {error}',
            stacklevel=3,
        )
        return None
    return kernels
