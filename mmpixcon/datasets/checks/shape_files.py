"""Labels of Labelme and CVAT, whose shapes become the boxes around them."""

from __future__ import annotations

import math
import xml.etree.ElementTree as et
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .files import read_header
from .image_labels import ImageLabels, LabelBox, box_around, photo_of
from .reading import read_json

# Shapes of Labelme with an area: two corners, or points around.
AROUND = ('rectangle', 'polygon', 'mask')
# Elements of CVAT that have a label and no area.
WITHOUT_AREA = ('polyline', 'points', 'cuboid', 'skeleton')


def read_labelme(path: Path, photos: Path) -> ImageLabels:
    """Read a file of Labelme.

    Args:
        path (Path): label file.
        photos (Path): image folder.

    Returns:
        ImageLabels: labels; rectangles, polygons, masks and circles as boxes.

    Raises:
        ValueError: It is not a file of Labelme, or a shape has no label or points.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get('shapes'), list):
        raise ValueError('it has no list of shapes')
    name = photo_of(path, str(content.get('imagePath') or ''), photos)
    width, height = content.get('imageWidth'), content.get('imageHeight')
    if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
        size: tuple[int, int] | None = (width, height)
    else:
        header = read_header(photos / name)
        size = header.shown_size if header else None
    boxes, left_out = [], []
    for number, shape in enumerate(content['shapes'], 1):
        try:
            kind = shape.get('shape_type') or 'polygon'
            xs, ys = zip(*((float(x), float(y)) for x, y in shape['points']), strict=True)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f'shape {number} has no points') from error
        label = shape.get('label')
        if label is None or not str(label).strip():
            raise ValueError(f'shape {number} has no label')
        if kind in AROUND:
            boxes.append(box_around(str(label), xs, ys))
        elif kind == 'circle' and len(xs) == 2:
            # The center, and a point of the circle.
            radius = math.hypot(xs[1] - xs[0], ys[1] - ys[0])
            corner = (xs[0] - radius, ys[0] - radius)
            boxes.append(LabelBox(str(label), *corner, 2 * radius, 2 * radius))
        else:
            left_out.append(kind)
    return ImageLabels(name, size, boxes, tuple(left_out))


def read_cvat(path: Path) -> Iterator[ImageLabels]:
    """Read a file of CVAT, "CVAT for images".

    Args:
        path (Path): label file.

    Yields:
        ImageLabels: labels of an image; boxes, also turned ones, polygons, masks and ellipses as
        boxes.

    Raises:
        ValueError: It is not a file of CVAT, it is that of a video, or a shape lacks something.
    """
    try:
        root = et.fromstring(path.read_bytes())
    except (et.ParseError, LookupError) as error:
        raise ValueError(f'it is not XML ({error})') from error
    if root.find('track') is not None:
        raise ValueError('it has tracks of a video. Export it as "CVAT for images 1.1"')
    for image in root.iter('image'):
        name = image.get('name') or ''
        boxes, left_out = [], []
        for node in image:
            if node.tag in WITHOUT_AREA:
                left_out.append(node.tag)
                continue
            try:
                box = _cvat_box(node)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ValueError(f'a {node.tag} of image {name} cannot be read') from error
            boxes += [box] if box else []
        sides = [image.get(side) or '0' for side in ('width', 'height')]
        width, height = (int(side) if side.isdigit() else 0 for side in sides)
        size = (width, height) if width and height else None
        yield ImageLabels(name, size, boxes, tuple(left_out))


def _cvat_box(node: Any) -> LabelBox | None:
    """Make a box of a shape; None for tags and what else belongs to a whole image."""
    number = node.attrib.__getitem__
    if node.tag == 'box':
        left, top, right, bottom = (float(number(key)) for key in ('xtl', 'ytl', 'xbr', 'ybr'))
        center = ((left + right) / 2, (top + bottom) / 2)
        return _turned(node, *center, right - left, bottom - top)
    if node.tag == 'polygon':
        points = [tuple(map(float, p.split(','))) for p in number('points').split(';')]
        return box_around(number('label'), *zip(*points, strict=True))
    if node.tag == 'mask':
        values = (float(number(key)) for key in ('left', 'top', 'width', 'height'))
        return LabelBox(number('label'), *values)
    if node.tag == 'ellipse':
        x, y, rx, ry = (float(number(key)) for key in ('cx', 'cy', 'rx', 'ry'))
        turn = math.radians(float(node.get('rotation') or 0))
        half_width = math.hypot(rx * math.cos(turn), ry * math.sin(turn))
        half_height = math.hypot(rx * math.sin(turn), ry * math.cos(turn))
        corner = (x - half_width, y - half_height)
        return LabelBox(number('label'), *corner, 2 * half_width, 2 * half_height)
    return None


def _turned(node: Any, x: float, y: float, width: float, height: float) -> LabelBox:
    """Make the box around one that is turned about its center."""
    turn = math.radians(float(node.get('rotation') or 0))
    sine, cosine = abs(math.sin(turn)), abs(math.cos(turn))
    if turn:
        width, height = width * cosine + height * sine, width * sine + height * cosine
    return LabelBox(node.attrib['label'], x - width / 2, y - height / 2, width, height)
