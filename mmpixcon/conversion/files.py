"""Reading and writing checkpoints of any library: .pth, .safetensors and detectron2's .pkl."""

from __future__ import annotations

import argparse
import pickle
import re
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmpixcon.utils.archives import no_archives
from mmpixcon.utils.files import replacing

SUFFIXES = ('.pth', '.pt', '.safetensors', '.pkl')
# Where libraries keep the tensors.
_SECTIONS = ('state_dict', 'model')
# What torch says of an object that it does not load with weights_only=True.
_REFUSED = re.compile(r'nsupported (?:global|class)\W+(?:GLOBAL )?([\w.]+)')
_TRUST = 'If you trust where it comes from, load it all the same with --trust.'


def read_checkpoint(path: str | Path, trust: bool = False) -> tuple[dict[str, Tensor], str]:
    """Read the tensors of a checkpoint.

    Args:
        path (str | Path): ``.safetensors``, ``.pkl``, or anything that torch saved.
        trust (bool): Whether code in the file may run: pickles name functions to be called.
            Defaults to False, ``torch.load(weights_only=True)``.

    Returns:
        tuple[dict[str, Tensor], str]: By name, without a ``module.`` that all have; and the
        text of the config in the checkpoint, of mmengine's, else empty.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, not trusted, or not a checkpoint.
        ModuleNotFoundError: It is .safetensors, and safetensors is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    content = _load(path, trust)
    meta = content.get('meta') if isinstance(content, Mapping) else None
    config = meta.get('cfg') if isinstance(meta, Mapping) else None
    for section in _SECTIONS:
        if isinstance(content, Mapping) and isinstance(content.get(section), Mapping):
            content = content[section]
            break
    tensors = {}
    for name, value in content.items() if isinstance(content, Mapping) else ():
        value = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(
                f'{path}: {name!r} is a {type(value).__name__}, not a tensor; sections that are '
                f'read are {" and ".join(_SECTIONS)}, or the whole file'
            )
        tensors[name] = value
    if not tensors:
        raise ValueError(f'{path} holds no tensors by name')
    if all(name.startswith('module.') for name in tensors):
        tensors = {name[len('module.') :]: value for name, value in tensors.items()}
    return tensors, config if isinstance(config, str) else ''


def _load(path: Path, trust: bool) -> Any:
    if path.suffix == '.safetensors':
        return _safetensors().load_file(path)
    try:
        if path.suffix == '.pkl':
            if not trust:
                raise ValueError(
                    f'{path} is a pickle, which may run code when it is read. {_TRUST}'
                )
            with path.open('rb') as file:
                return pickle.load(file, encoding='latin1')
        # Releases keep their command line beside the tensors: a Namespace of plain values.
        # Only torch 2.5 and later can be told that it is harmless.
        allow = getattr(torch.serialization, 'safe_globals', lambda _: nullcontext())
        with allow([argparse.Namespace]), nullcontext() if trust else no_archives():
            return torch.load(path, map_location='cpu', weights_only=not trust)
    except pickle.UnpicklingError as error:
        refused = _REFUSED.search(str(error))
        if refused is None:
            _refuse_archive(path, error)
            raise ValueError(f'{path} cannot be read as a checkpoint; is it one?') from error
        raise ValueError(
            f'{path} holds a {refused[1]} besides tensors and plain types, and may run code when '
            f'it is read. {_TRUST}'
        ) from error
    except (RuntimeError, EOFError, KeyError, AttributeError, ModuleNotFoundError) as error:
        _refuse_archive(path, error)
        raise ValueError(
            f'{path} cannot be read as a checkpoint; it may be cut short ({_first(error)})'
        ) from error


def _refuse_archive(path: Path, error: BaseException) -> None:
    """Say of TorchScript and tar archives that they may run code; return for other errors."""
    if str(error).startswith('Cannot use') and 'weights_only=True' in str(error):
        first = _first(error).split('. ')[0]
        raise ValueError(f'{path} may run code when it is read ({first}). {_TRUST}') from error


def check_output(path: str | Path, suffixes: tuple[str, ...], overwrite: bool) -> None:
    """Refuse an output that could not be written, before anything is read.

    Args:
        path (str | Path): file to write.
        suffixes (tuple[str, ...]): endings that the layout is written with.
        overwrite (bool): Whether it may exist.

    Raises:
        ValueError: The suffix is another one.
        FileExistsError: It, or the report beside it, exists.
        FileNotFoundError: Its folder does not exist.
        ModuleNotFoundError: It is .safetensors, and safetensors is not installed.
    """
    path = Path(path)
    if path.suffix not in suffixes:
        raise ValueError(f'--out {path}: the suffix must be {", ".join(suffixes)}')
    if not path.parent.is_dir():
        raise FileNotFoundError(f'--out {path}: the folder {path.parent} does not exist')
    for file in (path, report_path(path)):
        if file.exists() and not overwrite:
            raise FileExistsError(f'{file} exists; give --overwrite to replace it')
    if path.suffix == '.safetensors':
        _safetensors()


def report_path(path: str | Path) -> Path:
    """Path: Where the report of an output is."""
    return Path(f'{path}.json')


def write_checkpoint(path: str | Path, tensors: Mapping[str, Tensor], frame: dict | None) -> None:
    """Write tensors, completely or not at all.

    Args:
        path (str | Path): file to write. Its ending says how. ``.pkl`` has NumPy arrays.
        tensors (Mapping[str, Tensor]): tensors by name.
        frame (dict, optional): What the file holds, with the tensors in the place of the value
            None; ``.safetensors`` has tensors only. Defaults to None, the tensors alone.
    """
    path = Path(path)
    # Whole storages would be written for parts, and shared ones are refused by safetensors.
    content = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with replacing(path) as part:
        if path.suffix == '.safetensors':
            # Not save_file: it makes files that only their owner may read.
            part.write_bytes(_safetensors().save(content, metadata={'format': 'pt'}))
        elif path.suffix == '.pkl':
            arrays = {name: tensor.numpy() for name, tensor in content.items()}
            with part.open('wb') as file:
                pickle.dump(_framed(arrays, frame), file)
        else:
            torch.save(_framed(content, frame), part)


def _framed(content: dict, frame: dict | None) -> dict:
    if frame is None:
        return content
    return {key: content if value is None else value for key, value in frame.items()}


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "no module named 'safetensors': pip install 'mmpixcon[safetensors]', or write .pth"
        ) from error
    return safetensors.torch


def _first(error: BaseException) -> str:
    """The first line of a message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
