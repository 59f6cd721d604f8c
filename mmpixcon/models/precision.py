"""The precision that losses are computed in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

Function = TypeVar('Function', bound=Callable[..., Any])


def full_precision(function: Function) -> Function:
    """Compute a function in full precision, under autocast too.

    Tensors of floating-point numbers among its arguments become float64 if the first of them is,
    else float32.

    Args:
        function (Callable): function or method whose first tensor says the device.

    Returns:
        Callable: the function in full precision.
    """

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        values = (*args, *kwargs.values())
        first = next(x for x in values if isinstance(x, Tensor) and x.is_floating_point())
        dtype = torch.float64 if first.dtype == torch.float64 else torch.float32

        def convert(value: Any) -> Any:
            is_number = isinstance(value, Tensor) and value.is_floating_point()
            return value.to(dtype) if is_number else value

        with torch.autocast(first.device.type, enabled=False):
            return function(
                *map(convert, args), **{name: convert(value) for name, value in kwargs.items()}
            )

    return cast(Function, wrapped)
