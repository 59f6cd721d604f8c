"""Models within what distributes them."""

from __future__ import annotations

from typing import Any

from mmengine.model import is_model_wrapper


def unwrap(model: Any) -> Any:
    """Take a model out of ``DistributedDataParallel`` and the like.

    Args:
        model (nn.Module): model of a runner.

    Returns:
        nn.Module: the model itself.
    """
    return model.module if is_model_wrapper(model) else model
