"""Checkpoints of plain types, that ``torch.load(weights_only=True)`` reads.

mmengine's message hub pickles ``HistoryBuffer`` and numpy objects, which
torch 2.6 and later refuse to load. ``to_plain`` turns a checkpoint into dicts,
lists, tensors and scalars; ``from_plain`` makes the original objects of it.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import pickle
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from mmpixcon.utils.archives import no_archives

# Key of the dicts that stand for an object that plain types do not have.
_KIND = '__mmpixcon__'
# Sections where an entry that nothing plain stands for is only a note; leaving
# it out costs less than a training that stops at its first checkpoint.
_NOTES = ('meta', 'message_hub')
# Environment variable by which torch.load refuses what runs code, whatever it is called with.
_FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
# Methods that a HistoryBuffer stores with its numbers.
_STATISTICS = ('min', 'max', 'current', 'mean')


class NotPlainError(TypeError):
    """A checkpoint holds an object that plain types cannot stand for."""


def to_plain(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Turn a checkpoint into plain types.

    Args:
        checkpoint (dict): checkpoint as mmengine's runner saves it.

    Returns:
        dict: The same with dicts, ordered dicts, lists, tuples, tensors,
        strings, bytes and numbers only. Entries of ``meta`` and
        ``message_hub`` that cannot be turned are left out with a warning.

    Raises:
        NotPlainError: Something in another section cannot be turned.
    """
    plain = {}
    for section, content in checkpoint.items():
        plain[section] = _to_plain(content, section, lenient=section in _NOTES)
    return plain


def _to_plain(value: Any, where: str, lenient: bool) -> Any:
    """Turn one value; ``where`` is its place, for messages."""
    if value is None or isinstance(value, (bool, bytes, torch.Tensor, torch.Size, torch.dtype)):
        return value
    if isinstance(value, Enum):
        return _to_plain(value.value, where, lenient)
    # Subclasses (numpy.float64 is a float, numpy.str_ a string) are no plain types.
    kinds: tuple[Any, ...] = (int, float, complex, str)
    for kind in kinds:
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, np.generic):
        return _to_plain(value.item(), where, lenient)
    if isinstance(value, np.ndarray):
        return {_KIND: 'ndarray', 'data': _from_numpy(value, where)}
    if isinstance(value, HistoryBuffer):
        log, count = value.data
        return {
            _KIND: 'HistoryBuffer',
            'log': _from_numpy(log, where),
            'count': _from_numpy(count, where),
            'max_length': int(value.max_length),
        }
    if isinstance(value, Mapping):
        return _mapping_to_plain(value, where, lenient)
    if isinstance(value, (list, tuple, deque, set, frozenset)):
        items = [_to_plain(v, f'{where}[{i}]', lenient) for i, v in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    raise NotPlainError(
        f'checkpoint entry {where} is a {type(value).__module__}.{type(value).__qualname__}, '
        'which torch.load(weights_only=True) does not read. Store numbers, strings, tensors, '
        'or lists and dicts of them.'
    )


def _mapping_to_plain(value: Mapping, where: str, lenient: bool) -> dict:
    """Turn a mapping; an ordered dict stays one, others (Counter, ConfigDict) become dicts."""
    plain: dict = {}
    for key, item in value.items():
        try:
            plain_key = _to_plain(key, f'key {key!r} of {where}', lenient)
            plain[plain_key] = _to_plain(item, f'{where}[{key!r}]', lenient)
        except NotPlainError as error:
            if not lenient:
                raise
            print_log(f'Left out: {error}', logger='current', level=logging.WARNING)
    if isinstance(value, OrderedDict):
        ordered: Any = OrderedDict(plain)
        # Module versions, which torch keeps beside a state dict.
        if hasattr(value, '_metadata'):
            ordered._metadata = value._metadata
        return ordered
    return plain


def _from_numpy(array: np.ndarray, where: str) -> torch.Tensor:
    """Copy an array to a tensor of the same type and shape."""
    try:
        return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape).copy())
    except TypeError as error:
        raise NotPlainError(
            f'checkpoint entry {where} is an array of {array.dtype}, which has no tensor type'
        ) from error


def from_plain(value: Any) -> Any:
    """Undo ``to_plain``.

    Args:
        value (Any): A checkpoint or a part of one.

    Returns:
        Any: The same with ``HistoryBuffer`` and ``numpy.ndarray`` objects where
        they were. Other values are passed on, not copied.
    """
    if isinstance(value, Mapping):
        kind = value.get(_KIND)
        if kind == 'ndarray':
            return value['data'].cpu().numpy()
        if kind == 'HistoryBuffer':
            log, count = (value[name].cpu().numpy() for name in ('log', 'count'))
            return HistoryBuffer(log, count, value['max_length'])
        kinds: dict[type, Any] = {dict: dict, OrderedDict: OrderedDict}
        if type(value) in kinds:
            return kinds[type(value)]((key, from_plain(item)) for key, item in value.items())
        return value
    if type(value) in (list, tuple):
        return type(value)(from_plain(item) for item in value)
    return value


@contextlib.contextmanager
def weights_only() -> Iterator[None]:
    """Let no ``torch.load`` in the block run code that a file brings.

    That is the default from torch 2.6 on. Older ones run it, and what archives bring even then, and
    the fork's mmengine does when loading without it fails; this holds for all. Who sets
    ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` trusts the files, and gets torch's
    behavior.
    """
    if os.environ.get('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '0') not in ('', '0'):
        yield
        return
    before = os.environ.get(_FORCE)
    os.environ[_FORCE] = '1'
    try:
        with no_archives():
            yield
    finally:
        if before is None:
            del os.environ[_FORCE]
        else:
            os.environ[_FORCE] = before


def load_plain(load: Callable[..., Any]) -> Callable[..., Any]:
    """Make a loader of mmengine refuse what runs code, with a usable message.

    Args:
        load (Callable): Takes the path or address of a checkpoint first.

    Returns:
        Callable: Takes the same arguments and returns the same. It raises
        ``RuntimeError`` where the file is damaged or holds other objects than
        tensors and plain types.
    """

    @functools.wraps(load)
    def loader(filename: str, *args: Any, **kwargs: Any) -> Any:
        try:
            with weights_only():
                return load(filename, *args, **kwargs)
        except (OSError, torch.cuda.OutOfMemoryError):
            raise
        except Exception as error:
            if 'weights_only' in str(error) or 'Weights only' in str(error):
                raise RuntimeError(
                    f'{filename} is not loaded: it holds Python objects besides tensors and plain '
                    'types, as checkpoints of mmengine alone do, and such objects can run code. If '
                    'you trust the file, run this command once with the environment variable\n'
                    '    TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1\n'
                    'With PlainCheckpointHook in custom_hooks, what is saved from then on loads '
                    'without it.'
                ) from error
            raise RuntimeError(
                f'{filename} cannot be read as a checkpoint ({type(error).__name__}: {error}). The '
                'file may be cut short or damaged, or may not be a checkpoint; use another one '
                '(--resume PATH or load_from=PATH).'
            ) from error

    return loader


def _statistic(owner: Any, name: str) -> Callable[..., Any]:
    """Stand for ``getattr`` in a checkpoint: a method of history buffers, nothing else."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise pickle.UnpicklingError(f'a checkpoint may not use attribute {name!r}')
    return getattr(HistoryBuffer, name)


# By these names torch finds what a file asks for.
_statistic.__module__ = 'builtins'
_statistic.__name__ = _statistic.__qualname__ = 'getattr'


def limit_getattr(safe_globals: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
    """Take ``getattr`` from what the fork's mmengine lets files call under ``weights_only``.

    Its own history buffers name their methods by it. But with it a file reaches
    the variables of any module, and can replace them.

    Args:
        safe_globals (Callable): Returns the list that the fork hands to torch.

    Returns:
        Callable: Returns the same list with methods of history buffers in place
        of ``getattr``.
    """

    @functools.wraps(safe_globals)
    def limited() -> list[Any]:
        return [_statistic if item is getattr else item for item in safe_globals()]

    return limited


if hasattr(mmengine_checkpoint, 'get_torch_safe_globals'):
    mmengine_checkpoint.get_torch_safe_globals = limit_getattr(
        mmengine_checkpoint.get_torch_safe_globals
    )
# Files, addresses and the names of model zoos alike.
for _prefix, _loader in list(CheckpointLoader._schemes.items()):
    CheckpointLoader.register_scheme(_prefix, loader=load_plain(_loader), force=True)
