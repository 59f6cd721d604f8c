"""Label files of YOLO and PASCAL VOC, one an image.

Boxes whose corners are swapped or not finite are kept, since the check counts and names them.
"""

from __future__ import annotations

import xml.etree.ElementTree as et
from collections.abc import Mapping
from pathlib import Path

from .files import read_header
from .image_labels import ImageLabels, LabelBox, photo_of


def read_yolo(path: Path, name: str, size: tuple[int, int], keypoints: bool) -> ImageLabels:
    """Read a label file of YOLO: a box or a polygon a line, in shares of the image.

    Args:
        path (Path): label file.
        name (str): path of the image below the image folder.
        size (tuple[int, int]): width and height of the image.
        keypoints (bool): whether key points follow each box.

    Returns:
        ImageLabels: labels; polygons become the boxes around them.

    Raises:
        ValueError: A line is neither a box nor a polygon.
    """
    boxes = []
    for number, line in enumerate(path.read_text(encoding='utf-8-sig').splitlines(), 1):
        label, *words = line.split() or ['']
        if not label:
            continue
        try:
            values = [float(word) for word in words]
            # Some programs write 0.0.
            label = str(int(float(label))) if float(label).is_integer() else label
        except ValueError as error:
            raise ValueError(f'line {number}, {line[:60]!r}: {error}') from error
        if len(values) == 4 or (keypoints and len(values) > 4):
            x, y, width, height = values[:4]
            corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        elif len(values) >= 6 and len(values) % 2 == 0:
            corners = (
                min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
            )  # fmt: skip
        else:
            raise ValueError(
                f'line {number} has {len(values)} numbers after the class. A box has 4, a polygon '
                'an even number from 6 on. Take confidences of predictions out'
            )
        left, top, right, bottom = (
            corner * side for corner, side in zip(corners, size * 2, strict=True)
        )
        boxes.append(LabelBox(label, left, top, right - left, bottom - top))
    return ImageLabels(name, size, boxes)


def read_voc(path: Path, photos: Path) -> ImageLabels:
    """Read a label file of PASCAL VOC.

    The image is the one that the file names, or else the one of the file's own name, as mmdet's
    ``XMLDataset`` takes it. A size that is missing or 0 is read from the image.

    Args:
        path (Path): label file, in the encoding that it declares.
        photos (Path): image folder.

    Returns:
        ImageLabels: labels.

    Raises:
        ValueError: It is not the XML of PASCAL VOC.
    """
    try:
        root = et.fromstring(path.read_bytes())
    except (et.ParseError, LookupError) as error:
        raise ValueError(f'it is not XML ({error})') from error
    name = photo_of(path, (root.findtext('filename') or '').strip(), photos)
    numbers = [root.findtext(f'size/{side}') or '0' for side in ('width', 'height')]
    try:
        width, height = (int(float(number)) for number in numbers)
    except (ValueError, OverflowError):
        width = height = 0
    if width > 0 and height > 0:
        size: tuple[int, int] | None = (width, height)
    else:
        header = read_header(photos / name)
        size = header.shown_size if header else None
    boxes = []
    for number, node in enumerate(root.iter('object'), 1):
        label = (node.findtext('name') or '').strip()
        corners = [node.findtext(f'bndbox/{edge}') for edge in ('xmin', 'ymin', 'xmax', 'ymax')]
        if not label:
            raise ValueError(f'object {number} has no name')
        try:
            left, top, right, bottom = (float(corner or '') for corner in corners)
        except ValueError as error:
            raise ValueError(
                f'object {number} has no bndbox with xmin, ymin, xmax and ymax'
            ) from error
        boxes.append(LabelBox(label, left, top, right - left, bottom - top))
    return ImageLabels(name, size, boxes)


def class_names(names: object) -> Mapping[str, str] | None:
    """Read the class names of a ``data.yaml``.

    Args:
        names (object): list of names, or names by number.

    Returns:
        Mapping[str, str] | None: names by number, in order; None if they are neither.
    """
    if isinstance(names, dict):
        try:
            return {str(key): str(names[key]) for key in sorted(names, key=int)}
        except ValueError:
            return None
    if isinstance(names, list):
        return {str(number): str(name) for number, name in enumerate(names)}
    return None
