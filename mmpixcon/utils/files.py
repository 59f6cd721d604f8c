"""Files and folders that are whole or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_same_file(path: str | Path | None, other: str | Path) -> bool:
    """Return whether two paths lead to one file, which need not exist.

    Args:
        path (str | Path, optional): path; None and '' lead nowhere.
        other (str | Path): other path.

    Returns:
        bool: whether they are the same once links and ``..`` are followed.
    """
    return bool(path) and os.path.realpath(str(path)) == os.path.realpath(str(other))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file or folder that appears under its name only when it is whole.

    Args:
        path (Path): file or folder, in a folder that exists; replaced if it is there.

    Yields:
        Path: path to write to. It gets the name in the end, and is removed after an error.
    """
    # The process number lets two runs write the same file at the same time.
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    try:
        yield part
        if part.is_dir() and path.exists():
            shutil.rmtree(path)
        os.replace(part, path)
    except BaseException:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
        raise


def replace_file(path: Path, data: bytes) -> None:
    """Write a file as :func:`replacing` does, after its content has reached the disk.

    Args:
        path (Path): file, in a folder that exists; replaced if it is there.
        data (bytes): content.
    """
    with replacing(path) as part, part.open('wb') as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
