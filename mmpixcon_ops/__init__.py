"""mmcv's operators where mmcv has none compiled.

mmcv loads its compiled operators as the module ``mmcv._ext``. mmcv-lite, and
mmcv as it is built without a compiler, do not have that module, and then
``import mmcv.ops`` fails. This package puts :mod:`mmpixcon_ops.extension` in
its place: the operators that detection needs, over torchvision, PyTorch and
Triton, under the names that ``mmcv.utils.ext_loader`` asks for.

A finder at the end of ``sys.meta_path`` does it. Python asks it last, so a
compiled ``mmcv._ext`` always wins. ``mmpixcon_ops.pth``, which is installed
with mmpixcon, adds the finder whenever Python starts, so that mmdet alone finds
the operators as well. This file is read at each start: it imports nothing heavy.
"""

from __future__ import annotations

import sys

# As typing's, which would take longer to import than the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__all__ = ['OperatorFinder', 'describe_operators', 'install', 'operators']

EXTENSION = 'mmcv._ext'


class OperatorFinder:
    """Finds ``mmcv._ext`` where no other finder does."""

    @classmethod
    def find_spec(
        cls,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Name the file that stands for ``mmcv._ext``.

        Args:
            fullname (str): Name of the module that is imported.
            path (Sequence[str], optional): Folders of its parent package, not used.
            target (ModuleType, optional): Module that is loaded again, not used.

        Returns:
            ModuleSpec or None: How to load it; None for every other module.
        """
        if fullname != EXTENSION:
            return None
        from importlib.util import spec_from_file_location
        from os.path import dirname, join

        return spec_from_file_location(EXTENSION, join(dirname(__file__), 'extension.py'))


def install() -> None:
    """Let Python find the operators, once: calling it again changes nothing."""
    if OperatorFinder not in sys.meta_path:
        sys.meta_path.append(OperatorFinder)  # type: ignore[arg-type]


def operators() -> str:
    """Say which operators ``mmcv.ops`` runs.

    Returns:
        str: ``'mmcv'``, the compiled ones, or ``'mmpixcon_ops'``, those of this
        package.

    Raises:
        ImportError: mmcv is not installed, or its compiled operators do not
            load, because they were built for another torch, say.
    """
    import importlib

    extension = importlib.import_module(EXTENSION)
    return 'mmpixcon_ops' if hasattr(extension, 'IS_MMPIXCON_OPS') else 'mmcv'


def describe_operators() -> str:
    """Say the same in a sentence, for a log.

    Returns:
        str: The sentence.
    """
    if operators() == 'mmcv':
        return 'Operators of mmcv.ops: the compiled ones of mmcv.'
    from importlib.util import find_spec

    attention = 'Triton, where it works' if find_spec('triton') else 'PyTorch'
    return (
        'Operators of mmcv.ops: those of mmpixcon_ops over torchvision, since mmcv has none '
        f'compiled. Multi-scale deformable attention on a GPU: {attention}.'
    )


install()
