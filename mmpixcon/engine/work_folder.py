"""One run a work folder, and none over the checkpoints of another."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TextIO

from .checkpoint.safe_files import POINTER

try:
    import fcntl
except ImportError:  # Windows, which has no such locks
    fcntl = None  # type: ignore[assignment]

#: File that a run holds locked.
LOCK = 'running'


class OccupiedError(RuntimeError):
    """The work folder belongs to another run."""


def is_first_process() -> bool:
    """Return whether this is the first of a launcher's processes, or the only one."""
    names = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
    return int(next((os.environ[name] for name in names if name in os.environ), 0)) == 0


def lock_work_folder(folder: str | Path) -> TextIO:
    """Claim a work folder for as long as this process lives.

    The lock is the system's, so that it ends with the process, however that ends, and workers that
    outlive it for a moment do not hold it.

    Args:
        folder (str | Path): work folder; made if it is missing.

    Returns:
        TextIO: file that is locked until it is closed.

    Raises:
        OccupiedError: Another run has claimed it; host, process and start are named.
    """
    path = Path(folder) / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open('a+', encoding='utf-8')
    try:
        if fcntl is not None:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.seek(0)
        owner = file.read().strip() or 'an unknown process'
        file.close()
        raise OccupiedError(
            f'{folder} is in use by {owner}. Give another folder, --work-dir DIR, or wait until '
            'that run has ended.'
        ) from None
    except OSError:
        # A file system without locks, as some of clusters: nothing can be told.
        return file
    file.seek(0)
    file.truncate()
    started = time.strftime('%Y-%m-%d %H:%M:%S')
    file.write(f'process {os.getpid()} on {socket.gethostname()}, since {started}\n')
    file.flush()
    return file


def begin_anew(folder: str | Path, overwrite: bool) -> str | None:
    """Keep a run that begins anew from mixing its checkpoints with those of a run before.

    Args:
        folder (str | Path): work folder.
        overwrite (bool): whether to begin all the same. The checkpoints before are moved into a
            folder of their own.

    Returns:
        str | None: where they were moved to, as a sentence; None if there were none.

    Raises:
        OccupiedError: There are checkpoints, and ``overwrite`` is False.
    """
    folder = Path(folder)
    before = sorted(folder.glob('*.pth'), key=lambda path: path.stat().st_mtime)
    if not before:
        return None
    if not overwrite:
        raise OccupiedError(
            f'{folder} has checkpoints of a run before, such as {before[-1].name}. --resume goes '
            'on with it, --work-dir DIR begins in another folder, --overwrite begins anew here and '
            'moves them aside.'
        )
    aside = folder / time.strftime('before_%Y%m%d_%H%M%S')
    aside.mkdir()
    pointer = folder / POINTER
    for path in [*before, *([pointer] if pointer.is_file() else [])]:
        path.rename(aside / path.name)
    return f'The {len(before)} checkpoints of the run before are in {aside}.'
