"""Checks of the classes of annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .problems import Level, Report


def clean_categories(
    categories: Iterable[dict[str, Any]], used: Counter[Any], report: Report
) -> list[dict[str, Any]]:
    """Check and mend the categories of a COCO file.

    Args:
        categories (Iterable[dict]): entries of the file.
        used (Counter): number of objects of each category id.
        report (Report): report to add problems to.

    Returns:
        list[dict]: categories that are classes.
    """
    categories = [dict(category) for category in categories]
    nameless = [c for c in categories if c.get('id') is None or not str(c.get('name') or '')]
    report.add(
        'class without name or id',
        Level.FATAL,
        '{count} categories have no name or no id',
        nameless,
        'Give each category both.',
    )
    categories = [category for category in categories if category not in nameless]
    for key, what in (('id', 'id'), ('name', 'name')):
        counts = Counter(category[key] for category in categories)
        report.add(
            f'duplicate class {what}',
            Level.FATAL,
            f'{{count}} {what}s belong to several categories',
            [repr(value) for value, count in counts.items() if count > 1],
            'Merge these categories, or rename them.',
        )
    supers = {c.get('supercategory') for c in categories if c.get('supercategory') != c['name']}
    roots = [c for c in categories if not used[c['id']] and c['name'] in supers]
    report.add(
        'class above others',
        Level.MENDED,
        '{count} categories have no object and stand above others; they are no classes',
        [category['name'] for category in roots],
    )
    categories = [category for category in categories if category not in roots]
    report.add(
        'class without objects',
        Level.NOTE,
        '{count} classes have no object',
        [category['name'] for category in categories if not used[category['id']]],
    )
    spaced = [c['name'] for c in categories if str(c['name']) != str(c['name']).strip()]
    folded = Counter(str(category['name']).strip().casefold() for category in categories)
    alike = [c['name'] for c in categories if folded[str(c['name']).strip().casefold()] > 1]
    report.add(
        'class names that look alike',
        Level.NOTE,
        '{count} class names differ from another one, or from a plain word, in case or spaces only',
        [repr(name) for name in sorted({*spaced, *alike})],
        'If they mean the same, merge them.',
    )
    return categories


def align_categories(
    content: dict[str, Any], classes: Sequence[str], renumber: bool = False
) -> dict[str, Any]:
    """Give a COCO file the categories of a detector, in their order.

    ``CocoDataset`` and ``CocoMetric`` count the categories of a file that the detector names, in
    the order of the file. So one that is missing, or stands elsewhere, moves the labels of those
    behind it.

    Args:
        content (dict): COCO content. It is not changed.
        classes (Sequence[str]): names of the detector's classes.
        renumber (bool): whether ids rise in that order as well. ``CocoMetric`` mixes up the APs of
            single classes (``classwise``) where they do not. Defaults to False.

    Returns:
        dict: content with categories that begin with all classes. Categories that the detector does
            not name follow.
    """
    by_name = {category['name']: category for category in content['categories']}
    free = max((c['id'] for c in by_name.values() if isinstance(c['id'], int)), default=0) + 1
    categories = [
        by_name.get(name, dict(id=free + place, name=name)) for place, name in enumerate(classes)
    ]
    categories += [c for name, c in by_name.items() if name not in classes]
    annotations = content['annotations']
    if renumber:
        ids = {category['id']: number for number, category in enumerate(categories, 1)}
        categories = [dict(c, id=ids[c['id']]) for c in categories]
        annotations = [dict(a, category_id=ids[a['category_id']]) for a in annotations]
    return content | dict(categories=categories, annotations=annotations)


def compare_classes(train: Report, val: Report) -> None:
    """Compare the classes of training and validation, and report what differs at the second.

    Args:
        train (Report): report of the training's annotations.
        val (Report): report of those to validate on, which gets the problems.
    """
    unknown = [name for name in val.classes if name not in train.classes and val.classes[name]]
    val.add(
        'class that training does not have',
        Level.FATAL,
        '{count} classes have objects here, and the training annotations do not list them',
        unknown,
        'Use the same categories in both files; the detector can only name those it was taught.',
    )
    unseen = [name for name, count in val.classes.items() if count and train.classes.get(name) == 0]
    val.add(
        'class without training objects',
        Level.NOTE,
        '{count} classes have objects here and none to train on; their AP will be 0',
        unseen,
    )
    absent = [name for name in train.classes if name not in val.classes]
    val.add(
        'class that is only in the training',
        Level.MENDED,
        '{count} classes of the training are no categories here; they are added, without objects',
        absent,
    )
    names = [name for name in val.classes if name in train.classes]
    if names != [name for name in train.classes if name in val.classes]:
        val.add(
            'another order of the classes',
            Level.MENDED,
            'the classes are in another order than those of the training; they are told by name',
            count=len(names),
        )
