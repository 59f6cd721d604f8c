"""Mean and deviation of the pixels of a data set, exactly."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np

from mmpixcon.utils.images import read_image
from mmpixcon.utils.progress import track_progress


@dataclass(frozen=True)
class PixelStatistics:
    """Mean and deviation of the pixels of a data set.

    Attributes:
        mean (tuple[float, float, float]): mean of R, G and B, 0 to 255.
        std (tuple[float, float, float]): deviation of R, G and B over all pixels.
        images (int): images that were read.
        pixels (int): pixels of these images.
        unreadable (list[str]): Paths of the others.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    images: int
    pixels: int
    unreadable: list[str] = field(default_factory=list)

    def config_line(self) -> str:
        """Write it as a config does."""
        mean, std = (', '.join(f'{v:.3f}' for v in values) for values in (self.mean, self.std))
        return f'data_preprocessor = dict(mean=({mean}), std=({std}), bgr_to_rgb=True)'


def histogram(path: str) -> np.ndarray | None:
    """Count how often each value occurs in R, G and B, (3, 256) int64; None if unreadable."""
    image, _ = read_image(path)
    if image is None:
        return None
    return np.stack([np.bincount(image[..., c].ravel(), minlength=256) for c in (2, 1, 0)])


def measure(
    paths: Sequence[str], workers: int = 1, stream: TextIO | None = None
) -> PixelStatistics:
    """Mean and standard deviation over all pixels, in one pass over decoded images.

    Pixels are counted by value, so sums are whole numbers and the result does
    not depend on the order of the images or the number of workers.

    Args:
        paths (Sequence[str]): Images of 8 bits.
        workers (int): Processes that decode. Defaults to 1.
        stream (TextIO, optional): stream that progress is shown on. Defaults to None, stderr.

    Returns:
        PixelStatistics: Unreadable images are left out and listed.

    Raises:
        ValueError: No image can be read, or ``workers`` is below 1.
    """
    if workers < 1:
        raise ValueError(f'workers = {workers} must be at least 1')
    total = np.zeros((3, 256), dtype=np.int64)
    unreadable = []
    with multiprocessing.Pool(workers) as pool:
        pairs = zip(paths, pool.imap(histogram, paths, 8))
        for path, counts in track_progress(pairs, 'measuring', len(paths), stream):
            if counts is None:
                unreadable.append(path)
            else:
                total += counts
    if not total.any():
        raise ValueError(
            f'none of {len(paths)} images can be read, such as {list(paths)[:3]}: name the '
            'folder of the images, and with --ann-file what of it is meant'
        )
    share = total / total.sum(1, keepdims=True)
    values = np.arange(total.shape[1])
    mean = share @ values
    deviation = np.sqrt((share * (values - mean[:, None]) ** 2).sum(1))
    return PixelStatistics(
        _three(mean),
        _three(deviation),
        len(paths) - len(unreadable),
        int(total[0].sum()),
        unreadable,
    )


def _three(values: np.ndarray) -> tuple[float, float, float]:
    """Values of the three channels."""
    first, second, third = values.tolist()
    return first, second, third
