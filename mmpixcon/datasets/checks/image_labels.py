"""Labels of an image, whatever format they were in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmpixcon.datasets.unlabelled import SUFFIXES


@dataclass(frozen=True)
class LabelBox:
    """Box with a label.

    Attributes:
        label (str): class, by name or number.
        xmin (float): left edge in pixels.
        ymin (float): top edge in pixels.
        width (float): width in pixels; below 0 where the corners are swapped.
        height (float): height in pixels; the same.
    """

    label: str
    xmin: float
    ymin: float
    width: float
    height: float


@dataclass(frozen=True)
class ImageLabels:
    """Labels of an image.

    Attributes:
        image_id (str): path of the image below the image folder.
        image_size (tuple[int, int], optional): width and height; None where nothing says them.
        boxes (list[LabelBox]): boxes.
        left_out (tuple[str, ...]): kinds of shapes that are not boxes, one for each shape.
    """

    image_id: str
    image_size: tuple[int, int] | None
    boxes: list[LabelBox]
    left_out: tuple[str, ...] = ()


def box_around(label: str, xs: Sequence[float], ys: Sequence[float]) -> LabelBox:
    """Make the box around points.

    Args:
        label (str): class.
        xs (Sequence[float]): horizontal coordinates in pixels.
        ys (Sequence[float]): vertical coordinates in pixels.

    Returns:
        LabelBox: box.
    """
    return LabelBox(label, min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def photo_of(path: Path, named: str, photos: Path) -> str:
    """Find the image of a label file: the one that it names, or else the one of its own name.

    Args:
        path (Path): label file.
        named (str): path of the image, as the label file has it; '' for none.
        photos (Path): image folder.

    Returns:
        str: path below the image folder; what was named, where no such image is there.
    """
    # Written on Windows, whole paths are common.
    named = named.replace('\\', '/')
    endings = [ending for suffix in SUFFIXES for ending in (suffix, suffix.upper())]
    candidates = [named, named.rsplit('/', 1)[-1], *(f'{path.stem}{ending}' for ending in endings)]
    for candidate in candidates:
        if candidate and (photos / candidate).is_file():
            return candidate
    return named or f'{path.stem}.jpg'
