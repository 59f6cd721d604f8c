"""Counts the operators that work dispatches, and its waits for the device, on any machine.

On a CPU nothing waits for a device, and a tensor on it may be meant for one or not. Here a
tensor is of the *host* if it is made without a ``device`` or copied by ``cpu()``, and so is what
follows from such tensors alone; everything else is of the device. What the host does for itself
is not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

# Operators whose result's size, or value, the host has to know.
WAITS = {
    '_local_scalar_dense': 'item',
    'equal': 'equal',
    'masked_select': 'masked_select',
    'nonzero': 'nonzero',
    'unique_dim': 'unique',
    '_unique2': 'unique',
    'unique_consecutive': 'unique',
    'bincount': 'bincount',
    '_linalg_check_errors': 'linalg check',
}
# They start nothing on a device.
FREE = {'empty', 'empty_strided', 'empty_like', 'new_empty', 'new_empty_strided', 'lift_fresh'}
FREE |= {'detach', '_unsafe_view', '_reshape_alias', 'alias', 'set_', 'record_stream'}
FACTORIES = {torch.arange, torch.as_tensor, torch.empty, torch.eye, torch.full}
FACTORIES |= {torch.linspace, torch.ones, torch.rand, torch.randint, torch.randn, torch.randperm}
FACTORIES |= {torch.tensor, torch.zeros}
_TO_HOST = {Tensor.cpu: 'cpu', Tensor.numpy: 'numpy', Tensor.tolist: 'tolist'}
_TO_HOST |= {Tensor.__array__: 'numpy'}
# They look at values on a CPU only.
_CHECKED_ON_CPU = {F.one_hot}
_OF_DATA = {torch.tensor, torch.as_tensor, Tensor.new_tensor}


class Work:
    """Counts of a step.

    Attributes:
        operators (Counter[str]): operators that start something on a device, by name.
        waits (Counter[str]): why the host waited for the device.
    """

    def __init__(self) -> None:
        self.operators: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()


@contextmanager
def counted() -> Iterator[Work]:
    """Count what is dispatched, backward passes included.

    Yields:
        Work: the counts so far.
    """
    work = Work()
    calls = _Calls(work)
    # PyTorch's modes do not see it.
    with patch.object(torch, 'from_numpy', _from_numpy), calls, _Dispatches(work, calls):
        yield work


_TORCH_FROM_NUMPY = torch.from_numpy


def _from_numpy(array: np.ndarray) -> Tensor:
    """A tensor of the host."""
    tensor = _TORCH_FROM_NUMPY(array)
    tensor._of_host = True
    return tensor


def _is_view(func: Any) -> bool:
    """Return whether an operator gives another look at the same memory."""
    aliases = [argument.alias_info for argument in func._schema.arguments]
    return any(alias is not None and not alias.is_write for alias in aliases)


def _tensors(*nests: Any) -> list[Tensor]:
    return [leaf for leaf in tree_iter(nests) if isinstance(leaf, Tensor)]


def _is_host(tensor: Tensor) -> bool:
    return getattr(tensor, '_of_host', False)


def _name_device(values: tuple) -> bool:
    """Return whether one of the arguments is a device, or a tensor that lies on one."""
    return any(
        isinstance(value, torch.device) or (isinstance(value, Tensor) and not _is_host(value))
        for value in values
    )


class _Calls(TorchFunctionMode):
    """Sees calls of PyTorch: tells host from device, and copies between them."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work
        self.on_host = 0
        self.checks = False

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        inputs = _tensors(args, kwargs)
        on_device = any(not _is_host(tensor) for tensor in inputs)
        if func in _TO_HOST and on_device:
            self.work.waits[_TO_HOST[func]] += 1
            return self._as_host(func, args, kwargs)
        if func is Tensor.to and (args[1:2] == ('cpu',) or kwargs.get('device') == 'cpu'):
            if on_device and not kwargs.get('non_blocking'):
                self.work.waits['cpu'] += 1
            return self._as_host(func, args, kwargs)
        if func is Tensor.to and _is_host(args[0]):
            if _name_device(args[1:]) or kwargs.get('device') is not None:
                return self._upload(func, args, kwargs)
        elif func in _OF_DATA and (on_device or kwargs.get('device') is not None):
            # Of numbers or of the host's array, and so a copy; those of the device are one of it.
            if not _tensors(args[-1:]):
                self.work.waits['upload'] += 1
            return func(*args, **kwargs)
        if func in _CHECKED_ON_CPU:
            self.checks = True
            try:
                return func(*args, **kwargs)
            finally:
                self.checks = False
        made_here = func in FACTORIES and kwargs.get('device') is None and not on_device
        if made_here or (inputs and not on_device):
            return self._as_host(func, args, kwargs)
        return func(*args, **kwargs)

    def _as_host(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        self.on_host += 1
        try:
            result = func(*args, **kwargs)
        finally:
            self.on_host -= 1
        given = {id(tensor) for tensor in _tensors(args, kwargs)}
        if isinstance(result, Tensor) and id(result) in given and not _is_host(result):
            # On a CPU the copy is the tensor itself.
            result = result.detach()
        for tensor in _tensors(result):
            tensor._of_host = True
        return result

    def _upload(self, func: Callable, args: tuple, kwargs: dict) -> Tensor:
        if not kwargs.get('non_blocking'):
            self.work.waits['upload'] += 1
        self.work.operators['upload'] += 1
        self.on_host += 1
        try:
            result = func(*args, **kwargs)
            # On a CPU it may be the tensor itself, which stays the host's.
            return result.clone() if _is_host(result) else result
        finally:
            self.on_host -= 1


class _Dispatches(TorchDispatchMode):
    """Sees every operator, those of backward passes too."""

    def __init__(self, work: Work, calls: _Calls) -> None:
        super().__init__()
        self.work, self.calls = work, calls

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not self.calls.on_host:
            name = func._schema.name.split('::')[1]
            waits = self._why_wait(name, args, kwargs)
            if waits and not self.calls.checks:
                self.work.waits[waits] += 1
            if name not in FREE and not _is_view(func):
                self.work.operators[name] += self._starts(name, args)
        return func(*args, **kwargs)

    @staticmethod
    def _starts(name: str, args: tuple) -> int:
        """1, but for operators on lists of tensors of several types, which go one by one."""
        several = name.startswith('_foreach') and len({t.dtype for t in _tensors(args)}) > 1
        return len(args[0]) if several else 1

    @staticmethod
    def _why_wait(name: str, args: tuple, kwargs: dict) -> str | None:
        inputs = _tensors(args, kwargs)
        if inputs and all(map(_is_host, inputs)):
            return None
        if name in ('index', 'index_put', 'index_put_', '_index_put_impl_'):
            masks = [t for t in _tensors(args[1]) if t.dtype in (torch.bool, torch.uint8)]
            # One number is filled in where the mask is True.
            fills = name != 'index' and args[2].numel() == 1
            return 'boolean index' if masks and not fills else None
        if name == 'repeat_interleave' and kwargs.get('output_size') is None:
            return 'repeat_interleave'
        return WAITS.get(name)


def describe(counts: Counter[str]) -> str:
    """Write counts, the largest first."""
    return ', '.join(f'{count} {name}' for name, count in counts.most_common()) or 'none'
