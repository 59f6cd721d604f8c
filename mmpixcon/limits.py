"""Limits of the size of files, checked before memory is spent on them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limit:
    """Number that an environment variable may raise or lower.

    Args:
        variable (str): environment variable.
        default (int): number without it.
        unit (str): what is counted.
    """

    variable: str
    default: int
    unit: str

    def read(self) -> int:
        """Return the limit that holds now.

        Returns:
            int: number above 0.

        Raises:
            ValueError: The environment variable is not a number above 0.
        """
        text = os.environ.get(self.variable, str(self.default))
        try:
            number = int(text)
        except ValueError:
            number = 0
        if number < 1:
            raise ValueError(
                f'{self.variable}={text} must be a number of {self.unit} above 0, as {self.default}'
            )
        return number


#: Most pixels of an image: 300 MB once they are decoded.
PIXELS = Limit('MMPIXCON_MAX_PIXELS', 100_000_000, 'pixels')
#: Most bytes of an annotation file. COCO's largest has 470 MB and LVIS's 1.1 GB; those of
#: Objects365 and Open Images have several, for which a machine has to be chosen.
ANNOTATION_BYTES = Limit('MMPIXCON_MAX_ANNOTATION_BYTES', 2_000_000_000, 'bytes')
# Memory that Python needs for a byte of COCO's JSON: 6 without masks and 7 with them, measured.
_MEMORY_A_BYTE = 7
# OpenCV reads it when it is loaded.
OPENCV = 'OPENCV_IO_MAX_IMAGE_PIXELS'


def limit_opencv() -> None:
    """Let OpenCV refuse larger images; without effect where it is loaded already."""
    os.environ.setdefault(OPENCV, str(PIXELS.read()))


def check_annotation_size(path: str | Path) -> None:
    """Refuse an annotation file that is too large to be read at once.

    Args:
        path (str | Path): file on a disk; one that is missing has no size.

    Raises:
        ValueError: It is larger than ``ANNOTATION_BYTES``.
    """
    size = os.path.getsize(path) if os.path.isfile(path) else 0
    limit = ANNOTATION_BYTES.read()
    if size > limit:
        raise ValueError(
            f'{path} has {size:,} bytes, which are more than {limit:,}. Reading it may take '
            f'{_MEMORY_A_BYTE * size / 1e9:,.1f} GB of memory. If it is the file that you mean, '
            f'set {ANNOTATION_BYTES.variable}={size} to read it, or give one of fewer images.'
        )
