"""Checks of the image files that annotations list."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from mmpixcon.utils.images import read_image

from .problems import Level, Report

# Files that a check looks at, of the more that there may be.
SAMPLE = 200
# Share of bad files that a training skips, as data sets with max_bad_share do.
BAD_SHARE = 0.01
EXIF_ORIENTATION = 0x0112
# Orientations that lay an image on its side.
TURNED = (5, 6, 7, 8)
DEEP_MODES = ('I', 'F', 'I;16', 'I;16B', 'I;16L')
# Brightest value of a 16-bit image, out of 255 once it is cut to 8 bits, that is nearly black.
DARK = 64


@dataclass(frozen=True)
class ImageFile:
    """Content of the header of an image file.

    Attributes:
        size (tuple[int, int]): width and height of the pixels as they are stored.
        orientation (int): EXIF's, 1 to 8.
        mode (str): Pillow's name of depth and channels.
    """

    size: tuple[int, int]
    orientation: int
    mode: str

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height once the image is turned as EXIF says, as it is read."""
        return self.size[::-1] if self.orientation in TURNED else self.size


def read_header(path: str | Path) -> ImageFile | None:
    """Read the header of an image file; None if it is not readable."""
    try:
        with Image.open(path) as image:
            orientation = image.getexif().get(EXIF_ORIENTATION, 1)
            return ImageFile(image.size, orientation, image.mode)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def size_reader(folder: Path) -> Callable[[str], tuple[int, int] | None]:
    """Make what reads width and height of an image file, for labels that do not give them.

    Args:
        folder (Path): image folder.

    Returns:
        Callable: takes a file name, and returns None if the file cannot be read.
    """

    def size_of(name: str) -> tuple[int, int] | None:
        header = read_header(folder / name)
        return header.shown_size if header else None

    return size_of


def sample_of(images: Sequence[Any], number: int | None) -> list[Any]:
    """Take images evenly from a list.

    Args:
        images (Sequence): images.
        number (int, optional): how many at most; None takes all.

    Returns:
        list: images in their order.
    """
    if number is None or len(images) <= number:
        return list(images)
    return [images[index] for index in np.linspace(0, len(images) - 1, number).astype(int)]


def check_files(images: Iterable[dict[str, Any]], folder: Path, report: Report) -> None:
    """Look at image files: whether they are there, can be read, and are what the labels are of.

    Args:
        images (Iterable[dict]): entries of a COCO file, with width and height.
        folder (Path): image folder.
        report (Report): report to add problems to.
    """
    checked = 0
    cases: dict[str, list[str]] = defaultdict(list)
    for image in images:
        checked += 1
        path = folder / image['file_name']
        name = image['file_name']
        if not path.is_file():
            cases['missing'].append(name)
            continue
        header = read_header(path)
        pixels, reason = read_image(path)
        if pixels is None or header is None:
            cases['unreadable'].append(f'{name}: {reason or "the header is damaged"}')
            continue
        _compare_sizes(image, header, (pixels.shape[1], pixels.shape[0]), cases)
        if header.mode in DEEP_MODES:
            cases['dark' if pixels.max() < DARK else 'deep'].append(_range_of(path, name))
        elif header.mode in ('RGBA', 'LA', 'PA'):
            cases['transparent'].append(name)
        elif header.mode in ('L', '1'):
            cases['gray'].append(name)
    _report_bad(cases, checked, folder, report)
    _report_sizes(cases, checked, report)
    _report_channels(cases, checked, report)


def _compare_sizes(
    image: dict[str, Any],
    header: ImageFile,
    read: tuple[int, int],
    cases: dict[str, list[str]],
) -> None:
    """Compare the size in the annotations with that of the pixels as a training reads them."""
    labelled = (int(image['width']), int(image['height']))
    text = f'{image["file_name"]}: {labelled[0]} x {labelled[1]}, the file {read[0]} x {read[1]}'
    if labelled == read:
        if header.orientation not in (1, *TURNED):
            cases['mirrored'].append(f'{image["file_name"]}: orientation {header.orientation}')
    elif header.orientation in TURNED and labelled == header.size:
        cases['turned'].append(f'{text}, turned by EXIF')
    else:
        cases['size'].append(text)


def _range_of(path: Path, name: str) -> str:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return name if pixels is None else f'{name}: values to {pixels.max()} of 65535'


def _level(bad: int, checked: int) -> Level:
    """One bad file is skipped, as is a share of them; more stop a training."""
    return Level.FATAL if bad > max(1, BAD_SHARE * checked) else Level.LEFT_OUT


def _report_bad(cases: dict[str, list[str]], checked: int, folder: Path, report: Report) -> None:
    missing, unreadable = cases['missing'], cases['unreadable']
    remedy = f'They were looked for below {folder}.'
    there = _same_name(missing[:1], folder)
    if there:
        remedy += f' There is {there}: the image folder or the file names are another.'
    report.add(
        'missing file',
        _level(len(missing), checked),
        f'{{count}} of {checked} image files that were looked for are not there',
        missing,
        remedy,
    )
    report.add(
        'unreadable file',
        _level(len(unreadable), checked),
        f'{{count}} of {checked} image files cannot be read',
        unreadable,
        'Restore them, or take them out of the annotations.',
    )


def _same_name(names: Sequence[str], folder: Path) -> str:
    """Find a file of the same name, whatever its folder, case and ending."""
    for name in names:
        stem = Path(name).stem.casefold()
        found = (p for p in folder.rglob('*') if p.stem.casefold() == stem and p.is_file())
        return str(next(found, ''))
    return ''


def _report_sizes(cases: dict[str, list[str]], checked: int, report: Report) -> None:
    report.add(
        'turned by EXIF',
        _level(len(cases['turned']), checked),
        f'{{count}} of {checked} images are turned by their EXIF orientation when they are read, '
        'and their labels are not',
        cases['turned'],
        'Take the tag out (exiftool -overwrite_original -Orientation= FILES), or read all images '
        "as they are stored: color_type='color_ignore_orientation' of LoadImageFromFile.",
    )
    report.add(
        'image of another size',
        _level(len(cases['size']), checked),
        f'{{count}} of {checked} images have another size than their annotations say',
        cases['size'],
        'Use the images that were labeled, or scale the boxes to these.',
    )
    report.add(
        'mirrored by EXIF',
        Level.NOTE,
        f'{{count}} of {checked} images are mirrored or turned upside down by EXIF when they are '
        'read; whether their labels are cannot be told',
        cases['mirrored'],
        'Look at them in the pictures of the check.',
    )


def _report_channels(cases: dict[str, list[str]], checked: int, report: Report) -> None:
    report.add(
        'dark 16-bit image',
        Level.FATAL,
        f'{{count}} of {checked} images have 16 bits of which the low ones are used: cut to 8 '
        'bits they are nearly black',
        cases['dark'],
        'Scale them to 8 bits, for instance image * (255 / 4095) for 12-bit values.',
    )
    report.add(
        '16-bit image',
        Level.NOTE,
        f'{{count}} of {checked} images have 16 bits and are cut to 8',
        cases['deep'],
    )
    report.add(
        'transparent image',
        Level.NOTE,
        f'{{count}} of {checked} images have an alpha channel, which is not read',
        cases['transparent'],
    )
    report.add(
        'gray image',
        Level.NOTE,
        f'{{count}} of {checked} images are gray; the three channels will be equal',
        cases['gray'],
    )


def compare_files(
    train: Sequence[dict[str, Any]],
    val: Sequence[dict[str, Any]],
    train_folder: Path,
    val_folder: Path,
    report: Report,
) -> None:
    """Look for photos to evaluate on that are trained on as well.

    Args:
        train (Sequence[dict]): images to train on.
        val (Sequence[dict]): images to evaluate on, or a sample of them.
        train_folder (Path): image folder of the training.
        val_folder (Path): image folder of the evaluation.
        report (Report): report of the evaluation's annotations, which gets the problem.
    """
    by_size = defaultdict(list)
    for image in train:
        path = train_folder / image['file_name']
        if path.is_file():
            by_size[path.stat().st_size].append(path)
    same = []
    for image in val:
        path = val_folder / image['file_name']
        alike = by_size.get(path.stat().st_size, []) if path.is_file() else []
        if path in alike or (alike and _digest(path) in map(_digest, alike)):
            same.append(image['file_name'])
    report.add(
        'photo of the training',
        Level.NOTE,
        f'{{count}} of {len(val)} photos to evaluate on are also trained on',
        same,
        'AP is too good by that: take them out of one of the two.',
    )


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
