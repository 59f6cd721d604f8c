"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write a file that appears under its name only when it is whole.

    Args:
        path (Path): File, in a folder that exists; replaced if it is there.
        data (bytes): Its content.
    """
    # The process number lets two runs write the same file at the same time.
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
