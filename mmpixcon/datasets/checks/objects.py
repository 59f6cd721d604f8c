"""Checks of the objects of annotations: what they belong to, boxes and crowds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .problems import Level, Report

Entry = dict[str, Any]
# Shares of the boxes from which on they are taken for something else than x, y, width, height.
NORMALIZED_SHARE = 0.5
CORNERS_SHARE = 0.2
# Pixels beyond an image that rounding explains.
ROUNDING = 2.0


def name_object(entry: Entry) -> str:
    """Name an object in a message."""
    return f'id {entry.get("id")!r} of image {entry.get("image_id")!r}'


def clean_objects(
    objects: Sequence[Entry],
    images: Mapping[Any, Entry],
    stands_for: Mapping[Any, Any],
    categories: Sequence[Any],
    report: Report,
) -> list[Entry]:
    """Check and mend the objects of a COCO file.

    Args:
        objects (Sequence[dict]): entries of the file; they are not changed.
        images (Mapping): images that are kept, by id.
        stands_for (Mapping): id of the image that is kept, by each image id of the file.
        categories (Sequence): ids of the categories.
        report (Report): report to add problems to.

    Returns:
        list[dict]: objects with an image, a category, a box, an area and an id of their own.
    """
    objects = [dict(entry) for entry in objects]
    objects = _with_image(objects, stands_for, report)
    objects = _with_category(objects, categories, report)
    objects, boxes = _with_box(objects, report)
    sizes = [(images[o['image_id']]['width'], images[o['image_id']]['height']) for o in objects]
    good = _good_boxes(objects, boxes, np.array(sizes, dtype=float).reshape(-1, 2), report)
    objects = [objects[index] for index in np.flatnonzero(good)]
    _mend_keys(objects, report)
    crowds = sum(bool(entry['iscrowd']) for entry in objects)
    report.add(
        'nothing but crowds',
        Level.FATAL,
        'all {count} objects are crowds (iscrowd is 1), and no detector learns from crowds',
        remedy='Set iscrowd to 0 for what is a single object.',
        count=crowds if crowds == len(objects) else 0,
    )
    return objects


def _with_image(objects: list[Entry], stands_for: Mapping[Any, Any], report: Report) -> list[Entry]:
    """Leave out objects of images that are not listed."""
    lost = [entry for entry in objects if entry.get('image_id') not in stands_for]
    every = len(lost) == len(objects)
    report.add(
        'object without an image',
        Level.FATAL if every else Level.LEFT_OUT,
        '{count} objects have an image_id that no image has',
        [name_object(entry) for entry in lost],
        'Compare the type of both as well: 1 is not "1".' if every else '',
    )
    kept = [entry for entry in objects if entry.get('image_id') in stands_for]
    for entry in kept:
        entry['image_id'] = stands_for[entry['image_id']]
    return kept


def _with_category(objects: list[Entry], categories: Sequence[Any], report: Report) -> list[Entry]:
    """Stop where classes of objects are not listed: the others may be named wrongly as well."""
    listed = set(categories)
    unknown = Counter(e.get('category_id') for e in objects if e.get('category_id') not in listed)
    report.add(
        'object without a class',
        Level.FATAL,
        '{count} objects have a category_id that no category has',
        [f'category_id {key!r}: {count} objects' for key, count in unknown.most_common()],
        f'The categories have the ids {", ".join(map(repr, list(categories)[:5])) or "(none)"}'
        f'{", ..." if len(categories) > 5 else ""}: if one side counts from 0 and the other from '
        '1, all names are wrong.',
        count=sum(unknown.values()),
    )
    return [entry for entry in objects if entry.get('category_id') in listed]


def _with_box(objects: list[Entry], report: Report) -> tuple[list[Entry], np.ndarray]:
    """Leave out objects without a box of four numbers; make one from polygons where there are."""
    kept, boxes, boxless, made = [], [], [], []
    for entry in objects:
        box = entry.get('bbox')
        if not _is_numbers(box, 4):
            box = _box_of_polygons(entry.get('segmentation'))
            if box is None:
                boxless.append(entry)
                continue
            entry['bbox'] = box
            made.append(entry)
        kept.append(entry)
        boxes.append(box)
    report.add(
        'missing box',
        Level.MENDED,
        '{count} objects have no bbox; it is that of their polygons',
        [name_object(entry) for entry in made],
    )
    every = len(boxless) == len(objects)
    report.add(
        'missing box',
        Level.FATAL if every else Level.LEFT_OUT,
        '{count} objects have no bbox of four numbers',
        [name_object(entry) for entry in boxless],
        'A bbox is [x, y, width, height] in pixels.' if every else '',
    )
    return kept, np.array(boxes, dtype=float).reshape(-1, 4)


def _good_boxes(
    objects: list[Entry], boxes: np.ndarray, sizes: np.ndarray, report: Report
) -> np.ndarray:
    """Tell which boxes can be used, and whether they are boxes in pixels at all."""
    low, size = boxes[:, :2], boxes[:, 2:]
    finite = np.isfinite(boxes).all(1)
    with np.errstate(invalid='ignore'):
        high = low + size
        empty = finite & (size <= 0).any(1)
        beyond = np.maximum(-low, high - sizes).max(1, initial=0) > ROUNDING
        outside = finite & ~empty & ((high <= 0) | (low >= sizes)).any(1)
        normalized = finite & ((boxes >= 0) & (boxes <= 1)).all(1) & (boxes > 0).any(1)
        as_corners = finite & (size > low).all(1) & (size <= sizes + ROUNDING).all(1)
    total = max(len(boxes), 1)
    if normalized.sum() / total > NORMALIZED_SHARE:
        _add_boxes(
            report,
            'normalized boxes',
            Level.FATAL,
            '{count} boxes lie between 0 and 1: they look like shares of the image',
            objects,
            normalized,
            'Multiply x and width by the width of the image, y and height by its height.',
        )
    corners = finite & beyond & as_corners
    if corners.sum() / total > CORNERS_SHARE and (as_corners | ~finite).mean() > 1 - CORNERS_SHARE:
        _add_boxes(
            report,
            'boxes as corners',
            Level.FATAL,
            '{count} boxes reach beyond their image, and would fit if they were x1, y1, x2, y2',
            objects,
            corners,
            'A bbox is [x, y, width, height]: subtract the first corner from the second.',
        )
    else:
        _add_boxes(
            report,
            'box outside the image',
            Level.LEFT_OUT,
            '{count} boxes lie outside their image',
            objects,
            outside,
        )
        _add_boxes(
            report,
            'box beyond the image',
            Level.NOTE,
            f'{{count}} boxes reach more than {ROUNDING:g} pixels beyond their image; the training '
            'cuts them',
            objects,
            finite & beyond & ~outside & ~empty,
        )
    _add_boxes(report, 'empty box', Level.LEFT_OUT, '{count} boxes have no area', objects, empty)
    _add_boxes(
        report,
        'box that is no number',
        Level.LEFT_OUT,
        '{count} boxes have values that are not finite',
        objects,
        ~finite,
    )
    return finite & ~empty & ~outside


def _add_boxes(
    report: Report,
    kind: str,
    level: Level,
    message: str,
    objects: list[Entry],
    which: np.ndarray,
    remedy: str = '',
) -> None:
    """Add a problem that some boxes have, the first of them as examples."""
    first = np.flatnonzero(which)[:3]
    cases = [f'{name_object(objects[index])}: {objects[index]["bbox"]}' for index in first]
    report.add(kind, level, message, cases, remedy, count=int(which.sum()))


def _mend_keys(objects: list[Entry], report: Report) -> None:
    """Give each object an area, an ``iscrowd`` and an id of its own."""
    without_area = []
    for entry in objects:
        area = entry.get('area')
        if not isinstance(area, (int, float)) or not area > 0:
            entry['area'] = entry['bbox'][2] * entry['bbox'][3]
            without_area.append(entry)
        entry['iscrowd'] = int(bool(entry.get('iscrowd')))
    report.add(
        'missing area',
        Level.MENDED,
        '{count} objects have no area; it is that of their box',
        [name_object(entry) for entry in without_area],
    )
    counts = Counter(entry.get('id') for entry in objects)
    if None in counts or len(counts) < len(objects):
        repeated = sum(count for key, count in counts.items() if count > 1 or key is None)
        report.add(
            'duplicate object id',
            Level.MENDED,
            '{count} objects have no id or share one; all objects are numbered anew',
            count=repeated,
        )
        for number, entry in enumerate(objects, 1):
            entry['id'] = number


def _is_numbers(values: Any, count: int) -> bool:
    return (
        isinstance(values, (list, tuple))
        and len(values) == count
        and all(isinstance(value, (int, float)) for value in values)
    )


def _box_of_polygons(polygons: Any) -> list[float] | None:
    """Enclose polygons, lists of x and y in turn, in a box; None if there are none."""
    if not isinstance(polygons, list):
        return None
    rings = [ring for ring in polygons if isinstance(ring, list) and len(ring) >= 6]
    rings = [ring for ring in rings if _is_numbers(ring, len(ring)) and len(ring) % 2 == 0]
    if not rings:
        return None
    points = np.concatenate([np.array(ring, dtype=float).reshape(-1, 2) for ring in rings])
    low, high = points.min(0), points.max(0)
    return [*low.tolist(), *(high - low).tolist()]
