"""Checks of the classes of annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
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
    names = [name for name in val.classes if name in train.classes]
    if names != [name for name in train.classes if name in val.classes]:
        val.add(
            'another order of the classes',
            Level.MENDED,
            'the classes are in another order than those of the training; they are told by name',
            count=len(names),
        )
