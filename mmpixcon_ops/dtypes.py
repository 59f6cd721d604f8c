"""Types of numbers that torchvision's operators take."""

from __future__ import annotations

import torch
from torch import Tensor


def torchvision_dtype(tensor: Tensor) -> torch.dtype:
    """Choose the type in which torchvision computes for a tensor.

    torchvision's operators take float32 and float64 everywhere, float16 on CUDA
    only, and bfloat16 nowhere in its older releases.

    Args:
        tensor (Tensor): Input of an operator.

    Returns:
        torch.dtype: The tensor's own type where torchvision takes it, else float32.
    """
    if tensor.dtype in (torch.float32, torch.float64):
        return tensor.dtype
    if tensor.dtype == torch.float16 and tensor.is_cuda:
        return tensor.dtype
    return torch.float32
