"""Checkpoint files that are whole or not there, and the newest one that can be read."""

from __future__ import annotations

import errno
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.fileio import LocalBackend, register_backend

from mmpixcon.utils.files import replace_file

#: File with the path of the last checkpoint, which mmengine writes.
POINTER = 'last_checkpoint'
_FULL = (errno.ENOSPC, errno.EDQUOT)


class AtomicBackend(LocalBackend):
    """mmengine's local files, where a file that is cut off never takes the place of a whole one."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file under another name, and let it take its own once it is on the disk.

        Args:
            obj (bytes): content.
            filepath (str | Path): file; its folder is made if it is missing.

        Raises:
            OSError: It could not be written; nothing is left of it. A full disk is named with the
                space that is needed.
        """
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            replace_file(path, obj)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            free = shutil.disk_usage(path.parent).free
            raise OSError(
                error.errno,
                f'the disk is full: {path.name} needs {len(obj) / 1e6:.0f} MB, and {path.parent} '
                f'has {free / 1e6:.0f} MB left. Make room and go on with --resume; '
                'default_hooks.checkpoint.max_keep_ckpts keeps fewer files, '
                'default_hooks.checkpoint.out_dir puts them elsewhere',
            ) from error


#: Name of :class:`AtomicBackend` in ``backend_args``.
ATOMIC = 'mmpixcon.atomic'
register_backend(ATOMIC, AtomicBackend, force=True)


@contextmanager
def removals_last(backend: Any) -> Iterator[None]:
    """Let a file backend remove files only after what is done meanwhile has succeeded.

    Args:
        backend (BaseStorageBackend): backend of mmengine.
    """
    waiting: list[Callable[[], None]] = []
    remove, rmtree = backend.remove, backend.rmtree
    backend.remove = lambda path: waiting.append(lambda: remove(path))
    backend.rmtree = lambda path: waiting.append(lambda: rmtree(path))
    try:
        yield
    finally:
        # Those of the class again.
        del backend.remove, backend.rmtree
    for action in waiting:
        action()


def why_unreadable(path: Path) -> str | None:
    """Say why a checkpoint cannot be read whole.

    Args:
        path (Path): checkpoint file.

    Returns:
        str | None: reason; None if the file is there and all of its checksums hold.
    """
    if not path.is_file():
        return 'it does not exist'
    if path.stat().st_size == 0:
        return 'it is empty'
    try:
        with zipfile.ZipFile(path) as content:
            damaged = content.testzip()
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        return f'it is cut off or damaged ({error})'
    return f'the checksum of {damaged} in it is wrong' if damaged else None


def pointed_checkpoint(folder: str | Path) -> Path | None:
    """Find the checkpoint that a work folder points to, also after it was moved or copied.

    Args:
        folder (str | Path): work folder.

    Returns:
        Path | None: checkpoint, in this folder if one of that name is there; None without a name.
    """
    pointer = Path(folder) / POINTER
    name = pointer.read_text().strip() if pointer.is_file() else ''
    if not name:
        return None
    here = Path(folder) / Path(name).name
    # Elsewhere on purpose: default_hooks.checkpoint.out_dir.
    return here if here.is_file() else Path(name)


def find_newest_checkpoint(folder: str | Path) -> tuple[Path | None, list[str]]:
    """Find the newest checkpoint of a work folder that can be read.

    The pointer may be missing, empty or from before the folder was moved or copied: of what it
    says only the file name counts. All checkpoints that it does not name come after, the newest
    first.

    Args:
        folder (str | Path): work folder.

    Returns:
        tuple[Path | None, list[str]]: checkpoint, and for each newer one why it was not taken.
    """
    candidates = sorted(
        (path for path in Path(folder).glob('*.pth') if _step(path) is not None),
        key=lambda path: _step(path) or 0,
        reverse=True,
    )
    first = pointed_checkpoint(folder)
    if first is not None and _step(first) is None:
        # Of another naming: the numbers do not compare.
        candidates.insert(0, first)
    elif first is not None:
        newer = [path for path in candidates if (_step(path) or 0) > (_step(first) or 0)]
        older = [path for path in candidates if path not in (first, *newer)]
        candidates = [*newer, first, *older]
    reasons: list[str] = []
    for path in candidates:
        reason = why_unreadable(path)
        if reason is None:
            return path, reasons
        reasons.append(f'{path}: {reason}')
    return None, reasons


def _step(path: Path) -> int | None:
    """Epoch or iteration in the name of a checkpoint; None for other files, such as the best."""
    match = re.fullmatch(r'(?:epoch|iter)_(\d+)', path.stem)
    return int(match[1]) if match else None
