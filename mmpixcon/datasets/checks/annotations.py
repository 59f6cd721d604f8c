"""The pass over one COCO file."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .categories import clean_categories
from .images import SizeOf, clean_images
from .masks import clean_masks
from .objects import clean_objects
from .problems import Level, Report


def clean_annotations(
    content: dict[str, Any],
    name: str,
    with_masks: bool = False,
    size_of: SizeOf | None = None,
    needs_objects: bool = True,
) -> tuple[dict[str, Any], Report]:
    """Check the content of a COCO file, and mend or leave out what can be.

    Args:
        content (dict): content as :func:`~mmpixcon.datasets.checks.reading.read_coco` returns it;
            it is not changed.
        name (str): path of the file, for messages.
        with_masks (bool): whether masks will be learned. Defaults to False.
        size_of (Callable, optional): reads width and height of an image file that the annotations
            give none of. Defaults to None, none is read.
        needs_objects (bool): whether the file is no use without objects. Defaults to True.

    Returns:
        tuple[dict, Report]: content to train on or to evaluate with, and what was wrong. After a
        fatal problem the content is what could be checked.
    """
    report = Report(name)
    shapes = Counter(content.get('left_out') or ())
    kinds = ', '.join(f'{kind}: {number}' for kind, number in shapes.most_common())
    report.add(
        'shape without an area',
        Level.LEFT_OUT,
        f'{{count}} shapes are not boxes, polygons or masks: {kinds}',
        count=sum(shapes.values()),
    )
    content = {key: value for key, value in content.items() if key != 'left_out'}
    images, stands_for = clean_images(content['images'], report, size_of)
    report.add(
        'no images',
        Level.FATAL,
        'the file lists no images',
        count=int(not content['images']),
        remedy='Export the annotations again.',
    )
    objects = content['annotations']
    used = Counter(entry.get('category_id') for entry in objects)
    categories = clean_categories(content['categories'], used, report)
    if report.fatal:
        # Ids that cannot be trusted: nothing below would mean anything.
        report.numbers = dict(images=len(images), objects=len(objects))
        report.classes = {c['name']: used[c['id']] for c in categories}
        return dict(content, images=images, categories=categories), report
    by_id = {image['id']: image for image in images}
    ids = [category['id'] for category in categories]
    objects = clean_objects(objects, by_id, stands_for, ids, report)
    if with_masks and not report.fatal:
        objects = clean_masks(objects, by_id, report)
    count(report, images, objects, categories)
    report.add(
        'nothing to learn',
        Level.FATAL if needs_objects else Level.NOTE,
        'no object can be used',
        count=0 if objects or report.fatal else max(len(content['annotations']), 1),
        remedy='See the other problems; if there are none, the file has no annotations.',
    )
    content = dict(content, images=images, annotations=objects, categories=categories)
    return content, report


def count(
    report: Report,
    images: list[dict[str, Any]],
    objects: list[dict[str, Any]],
    categories: list[dict[str, Any]],
) -> None:
    """Write down how many images and objects there are."""
    single = [entry for entry in objects if not entry['iscrowd']]
    by_class = Counter(entry['category_id'] for entry in single)
    report.classes = {category['name']: by_class[category['id']] for category in categories}
    with_objects = {entry['image_id'] for entry in single}
    most = Counter(entry['image_id'] for entry in single).most_common(1)
    report.numbers = {
        'images': len(images),
        'images without objects': len(images) - len(with_objects),
        'objects': len(single),
        'crowds': len(objects) - len(single),
        'most objects of an image': most[0][1] if most else 0,
    }
