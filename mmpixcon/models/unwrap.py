"""Models within what distributes them."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper


def unwrap(model: Any) -> Any:
    """Take a model out of ``DistributedDataParallel``, test-time augmentation and the like.

    Args:
        model (nn.Module): model of a runner.

    Returns:
        nn.Module: the model itself.
    """
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model
