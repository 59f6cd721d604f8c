"""Limit of the size of an image, checked before memory is spent on it."""

from __future__ import annotations

import os

#: Environment variable with the most pixels of an image.
VARIABLE = 'MMPIXCON_MAX_PIXELS'
#: Most pixels without it: 300 MB once they are decoded.
DEFAULT = 100_000_000
# OpenCV reads it when it is loaded.
OPENCV = 'OPENCV_IO_MAX_IMAGE_PIXELS'


def max_pixels() -> int:
    """Return the most pixels that an image may have.

    Returns:
        int: pixels.

    Raises:
        ValueError: The environment variable is not a number above 0.
    """
    text = os.environ.get(VARIABLE, str(DEFAULT))
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError(f'{VARIABLE}={text} must be a number of pixels above 0, as {DEFAULT}')
    return number


def limit_opencv() -> None:
    """Let OpenCV refuse larger images; without effect where it is loaded already."""
    os.environ.setdefault(OPENCV, str(max_pixels()))
