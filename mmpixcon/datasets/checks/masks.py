"""Checks of the masks of annotations, for detectors that learn them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .objects import Entry, name_object
from .problems import Level, Report

# Share of objects without a usable mask from which on a mask detector must not train.
BAD_SHARE = 0.5
REMEDY = (
    'Give each object a segmentation of polygons or RLE, or train a detector of boxes '
    '(a config without with_mask=True).'
)


def clean_masks(objects: list[Entry], images: Mapping[Any, Entry], report: Report) -> list[Entry]:
    """Leave out objects whose mask is missing or does not fit, and tell why.

    Args:
        objects (list[dict]): objects with an image.
        images (Mapping): images by id.
        report (Report): report to add problems to.

    Returns:
        list[dict]: objects with a mask, and crowds, which need none.
    """
    kept: list[Entry] = []
    missing: list[Entry] = []
    misfit: list[Entry] = []
    for entry in objects:
        fits = mask_fits(entry.get('segmentation'), images[entry['image_id']])
        if fits or (fits is None and entry['iscrowd']):
            kept.append(entry)
        else:
            (missing if fits is None else misfit).append(entry)
    every = len(kept) < (1 - BAD_SHARE) * len(objects)
    level, remedy = (Level.FATAL, REMEDY) if every else (Level.LEFT_OUT, '')
    report.add(
        'missing mask',
        level,
        '{count} objects have no mask',
        [name_object(entry) for entry in missing],
        remedy,
    )
    report.add(
        'mask of another size',
        level,
        '{count} objects have a mask that does not fit their image',
        [name_object(entry) for entry in misfit],
        remedy,
    )
    return kept


def mask_fits(segmentation: Any, image: Entry) -> bool | None:
    """Return whether a mask can be laid over its image.

    Args:
        segmentation (Any): polygons or run lengths (RLE) as COCO has them.
        image (dict): entry of the image, with width and height.

    Returns:
        bool | None: None if there is no mask.
    """
    if isinstance(segmentation, list):
        rings = [ring for ring in segmentation if isinstance(ring, list) and ring]
        if not rings:
            return None
        return any(len(ring) >= 6 and len(ring) % 2 == 0 for ring in rings)
    if not isinstance(segmentation, dict) or not segmentation.get('counts'):
        return None
    height, width = int(image['height']), int(image['width'])
    counts = segmentation['counts']
    if list(segmentation.get('size') or ()) != [height, width]:
        return False
    return isinstance(counts, (str, bytes)) or sum(counts) == height * width
