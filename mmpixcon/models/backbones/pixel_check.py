"""A check that images are normalized as the weights of a model know them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def check_pixels(model: nn.Module, packs_rgb: bool = False) -> None:
    """Compare the preprocessor of a model with what the weights of its backbone know.

    Args:
        model (nn.Module): with a ``data_preprocessor``, maybe of several branches. A backbone that
            has ``pixel_statistics`` is looked at, others are not.
        packs_rgb (bool): whether images are RGB before the preprocessor. Defaults to False.

    Raises:
        ValueError: Mean, deviation or the order of channels differ.
    """
    preprocessor: Any = getattr(model, 'data_preprocessor', None)
    preprocessor = getattr(preprocessor, 'data_preprocessor', preprocessor)
    found = [m for m in model.modules() if getattr(m, 'pixel_statistics', None) is not None]
    if preprocessor is None or not found:
        return
    backbone: Any = found[0]
    values = [getattr(preprocessor, key, torch.tensor(0.0)) for key in ('mean', 'std')]
    actual = [[round(value, 3) for value in v.flatten().tolist()] for v in values]
    expected = [[round(value, 3) for value in values] for values in backbone.pixel_statistics]
    same = all(
        len(a) == len(e) and max(abs(x - y) for x, y in zip(a, e)) < 0.1
        for a, e in zip(actual, expected)
    )
    if not same:
        raise ValueError(
            f'data_preprocessor has mean={actual[0]}, std={actual[1]}, but the weights that '
            f'{type(backbone).__name__} starts from expect mean={expected[0]}, std={expected[1]}: '
            'set these'
        )
    if not (packs_rgb or getattr(preprocessor, '_channel_conversion', False)):
        raise ValueError(
            'data_preprocessor leaves images BGR, but the weights that '
            f'{type(backbone).__name__} starts from expect RGB: set bgr_to_rgb=True'
        )
