"""Image files, and why some cannot be read."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

import mmcv
import numpy as np
from mmengine.fileio import get
from PIL import Image

from mmpixcon.limits import PIXELS


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
        if too_large := _too_large(content):
            return None, too_large
        image = mmcv.imfrombytes(content)
    except MemoryError:
        # Says nothing about the file.
        raise
    # Backends and decoders have errors of their own.
    except Exception as error:
        return None, getattr(error, 'strerror', None) or f'{type(error).__name__}: {error}'.strip()
    return (None, 'the content is no image') if image is None else (image, None)


def _too_large(content: bytes) -> str | None:
    """Tell by its header whether an image has more pixels than it may have."""
    limit = PIXELS.read()
    width = height = 0
    # Whatever is no image is told by the decoder.
    with contextlib.suppress(OSError, ValueError, SyntaxError), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            with Image.open(io.BytesIO(content)) as image:
                width, height = image.size
        except Image.DecompressionBombError:
            return f'it has more pixels than Pillow opens; the limit is {limit:,}'
    if width * height <= limit:
        return None
    return (
        f'its {width} x {height} pixels are more than {limit:,}; set '
        f'{PIXELS.variable}={width * height} to read it'
    )
