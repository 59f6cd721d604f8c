"""Capture of what stock modules take and give while they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import nn


class Call(NamedTuple):
    """A call of a module or a method.

    Attributes:
        args (tuple): positional arguments.
        kwargs (dict[str, Any]): keyword arguments.
        output (Any): what it returned.
    """

    args: tuple
    kwargs: dict[str, Any]
    output: Any


@contextmanager
def captured(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Call]]:
    """Keep the last call of modules.

    Args:
        modules (Mapping[str, nn.Module]): modules by name.

    Yields:
        dict[str, Call]: the last call of each, by name, as soon as there is one.
    """
    calls: dict[str, Call] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
            calls[name] = Call(args, kwargs, output)

        return hook

    handles = [
        module.register_forward_hook(keep(name), with_kwargs=True)
        for name, module in modules.items()
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def recorded_calls(owner: Any, name: str) -> Iterator[list[Call]]:
    """Keep the calls of a method of an object.

    Args:
        owner (Any): object whose class has the method.
        name (str): name of the method.

    Yields:
        list[Call]: the calls, in their order.
    """
    calls: list[Call] = []
    method = getattr(owner, name)
    recorded_already = name in vars(owner)

    def record(*args: Any, **kwargs: Any) -> Any:
        calls.append(Call(args, kwargs, method(*args, **kwargs)))
        return calls[-1].output

    setattr(owner, name, record)
    try:
        yield calls
    finally:
        if recorded_already:
            setattr(owner, name, method)
        else:
            # The method is the class's still.
            delattr(owner, name)
