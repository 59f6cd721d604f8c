"""Image files, and why some cannot be read."""

from __future__ import annotations

from pathlib import Path

import mmcv
import numpy as np
from mmengine.fileio import get


def read_image(
    path: str | Path, backend_args: dict | None = None
) -> tuple[np.ndarray | None, str | None]:
    """Read an image file.

    Args:
        path (str | Path): image file.
        backend_args (dict, optional): file backend of mmengine. Defaults to None, by the path.

    Returns:
        tuple[np.ndarray | None, str | None]: BGR pixels, (h, w, 3) uint8, and None; or None and the
        reason why it cannot be read.

    Raises:
        MemoryError: There is not enough memory.
    """
    try:
        content = get(path, backend_args)
        if not content:
            return None, 'the file is empty'
        image = mmcv.imfrombytes(content)
    except MemoryError:
        # Says nothing about the file.
        raise
    # Backends and decoders have errors of their own.
    except Exception as error:
        return None, getattr(error, 'strerror', None) or f'{type(error).__name__}: {error}'.strip()
    return (None, 'the content is no image') if image is None else (image, None)
