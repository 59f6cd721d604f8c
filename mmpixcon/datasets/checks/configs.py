"""The check of the data of a config, before anything slow begins."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmengine.config import Config

from mmpixcon.datasets.data_files import STAGES, annotation_file, iter_datasets, iter_metrics
from mmpixcon.utils.files import is_same_file, replace_file

from .annotations import clean_annotations
from .categories import align_categories, compare_classes
from .files import check_files, sample_of, size_reader
from .metric_files import check_metric_files
from .problems import BadDataError, Level, Report
from .reading import read_coco

# Data sets whose annotations are one COCO file that is read as it is.
CHECKED = ('CocoDataset', 'RobustCocoDataset')
# Images whose files are looked at before each training.
SAMPLE = 50
# Heads that tell objects from background, whatever the classes.
CLASSLESS = ('rpn_head',)
SWITCH = 'check_data=False in the config, or --cfg-options check_data=False, trains all the same.'


def check_annotations(cfg: Config, stages: Sequence[str]) -> list[Report]:
    """Check the COCO files of a config, and let it read mended ones where that helps.

    ``check_data=False`` in the config leaves the check out.

    Args:
        cfg (Config): config with a ``work_dir``; annotation files that had to be mended are
            replaced by copies in ``work_dir/annotations``.
        stages (Sequence[str]): of 'train', 'val' and 'test', those that will run.

    Returns:
        list[Report]: reports, one a file.

    Raises:
        BadDataError: Training would be wrong, learn nothing, or end in an error.
        ValueError: A file is not a COCO file, a head has another number of classes than the data,
            or a metric compares with other photos than those that are tested.
    """
    if cfg.get('check_data', True) is False:
        return []
    checked: dict[str, tuple[Report, dict[str, Any]]] = {}
    trained: list[Report] = []
    for stage in stages:
        for key, dataset in iter_datasets(cfg, stage):
            if not _is_checked(dataset):
                continue
            path = annotation_file(dataset)
            if stage == 'train':
                check_class_counts(cfg, key, dataset)
            if path not in checked:
                checked[path] = _check(cfg, path, dataset, stage)
                report = checked[path][0]
                if stage == 'train':
                    trained.append(report)
                elif trained and not report.fatal:
                    compare_classes(trained[0], report)
    for stage in stages:
        datasets = list(iter_datasets(cfg, stage))
        if len(datasets) == 1 and _is_checked(datasets[0][1]):
            check_metric_files(cfg, stage, _classes(datasets[0][1]))
    reports = [report for report, _ in checked.values()]
    if any(report.fatal for report in reports):
        raise BadDataError(reports, SWITCH)
    for number, (path, (report, content)) in enumerate(checked.items(), 1):
        if any(problem.level is Level.MENDED for problem in report.problems):
            # Files of several folders may have one name.
            mended = Path(cfg.work_dir, 'annotations', f'{number}_{Path(path).name}')
            _use_mended(cfg, path, mended, content)
            report.add('mended copy', Level.NOTE, f'it is read from {mended}', count=1)
    return reports


def check_class_counts(cfg: Config, key: str, dataset: Mapping[str, Any]) -> None:
    """Compare the number of classes of each head with that of the data.

    Args:
        cfg (Config): whole config.
        key (str): config key of the data set.
        dataset (Mapping): config of the data set to train on.

    Raises:
        ValueError: A head has another number; the message names the key to set.
    """
    classes = _classes(dataset)
    for head, number in _class_counts(cfg.get('model') or {}, 'model'):
        if classes and number != len(classes):
            shown = ', '.join(classes[:5]) + (', ...' if len(classes) > 5 else '')
            raise ValueError(
                f'{head} is {number}, and the data have {len(classes)} classes ({shown}: '
                f'{key}.metainfo.classes). Set {head}={len(classes)}, or correct the classes.'
            )


def _class_counts(part: Any, key: str, in_head: bool = False) -> Iterator[tuple[str, int]]:
    """Walk through a model for the ``num_classes`` of its heads, those of a cascade as well."""
    items: Any = ()
    if isinstance(part, dict):
        if in_head and isinstance(part.get('num_classes'), int):
            yield f'{key}.num_classes', part['num_classes']
        items = part.items()
    elif isinstance(part, (list, tuple)):
        items = enumerate(part)
    for name, value in items:
        if name not in CLASSLESS and isinstance(value, (dict, list, tuple)):
            is_head = in_head if isinstance(name, int) else name.endswith('head')
            yield from _class_counts(value, f'{key}.{name}', is_head)


def _is_checked(dataset: Mapping[str, Any]) -> bool:
    name = str(dataset.get('type')).rsplit('.', 1)[-1]
    path = str(dataset.get('ann_file') or '')
    local = '://' not in path and not dataset.get('backend_args')
    return name in CHECKED and path.endswith('.json') and local


def _check(
    cfg: Config, path: str, dataset: Mapping[str, Any], stage: str
) -> tuple[Report, dict[str, Any]]:
    """Check one COCO file and some of its images."""
    folder = Path(dataset.get('data_root') or '', (dataset.get('data_prefix') or {}).get('img', ''))
    masks = stage == 'train' and _learns_masks(dataset)
    # Photos to test on may have no labels.
    needs_objects = stage != 'test'
    content, report = clean_annotations(
        read_coco(path, needs_objects), path, masks, size_reader(folder), needs_objects
    )
    content = _use_classes(content, report, dataset, _by_class(cfg, path))
    local = '://' not in str(folder) and folder.is_dir()
    if local and not report.fatal:
        check_files(sample_of(content['images'], SAMPLE), folder, report)
        _note_empty(content, report, dataset, stage)
    return report, content


def _use_classes(
    content: dict[str, Any], report: Report, dataset: Mapping[str, Any], by_class: bool
) -> dict[str, Any]:
    """Compare the categories with the classes of the config, and make them those."""
    classes = _classes(dataset)
    if not classes or report.fatal:
        return content
    names = [category['name'] for category in content['categories']]
    absent = [name for name in classes if name not in names]
    remedy = f'Set metainfo=dict(classes={tuple(names)!r}) in the data sets of the config.'
    none_is_there = len(absent) == len(classes)
    report.add(
        'class that is not in the file',
        Level.FATAL if none_is_there else Level.MENDED,
        '{count} classes of the config are no categories of the file'
        + ('' if none_is_there else '; they are added, without objects'),
        absent,
        remedy,
    )
    others = {name: count for name, count in report.classes.items() if name not in classes}
    refused = _name(dataset) == 'RobustCocoDataset' and not dataset.get('allow_class_subset')
    report.add(
        'class that is not in the config',
        Level.FATAL if refused else Level.LEFT_OUT,
        '{count} objects have a class that the config does not name',
        [f'{name}: {count}' for name, count in others.items() if count],
        f'{remedy} To train on some of the categories on purpose, set allow_class_subset=True of '
        'mmpixcon.RobustCocoDataset.',
        count=sum(others.values()),
    )
    order = [name for name in classes if name in names]
    if order != [name for name in names if name in classes]:
        report.add(
            'another order of the classes',
            Level.MENDED,
            'the categories are in another order than the {count} classes of the config; they are '
            'told by name',
            count=len(order),
        )
    # What the others are is said above.
    report.classes = {name: report.classes.get(name, 0) for name in classes}
    content = align_categories(content, classes)
    ids = [category['id'] for category in content['categories'][: len(classes)]]
    # Names of categories are sorted as text, and cannot be sorted beside numbers.
    rise = all(isinstance(key, int) for key in ids) and ids == sorted(ids)
    if by_class and not rise:
        content = align_categories(content, classes, renumber=True)
        report.add(
            'ids in another order than the classes',
            Level.MENDED,
            'the ids of {count} classes do not rise in the order of the config, and the AP of each '
            'class is asked for (classwise); they are numbered anew in what is evaluated',
            count=len(classes),
        )
    return content


def _note_empty(
    content: dict[str, Any], report: Report, dataset: Mapping[str, Any], stage: str
) -> None:
    """Say what happens to images without objects, and stop where none is left."""
    if stage != 'train':
        return
    rules = dataset.get('filter_cfg') or {}
    objects = Counter(o['image_id'] for o in content['annotations'] if not o['iscrowd'])
    smallest = rules.get('min_size') or 0
    small = [
        image['file_name']
        for image in content['images']
        if min(image['width'], image['height']) < smallest
    ]
    empty = [i['file_name'] for i in content['images'] if not objects[i['id']]]
    drops = bool(rules.get('filter_empty_gt'))
    left = len(content['images']) - len({*small, *(empty if drops else ())})
    report.add(
        'image without objects',
        Level.LEFT_OUT if drops else Level.NOTE,
        '{count} images have no object and are '
        + ('left out (filter_cfg.filter_empty_gt)' if drops else 'used as background'),
        empty,
    )
    report.add(
        'small image',
        Level.LEFT_OUT,
        f'{{count}} images have a side below {smallest} pixels (filter_cfg.min_size)',
        small,
    )
    report.add(
        'every image filtered',
        Level.FATAL,
        'no image is left of {count} after filter_cfg',
        count=0 if left else len(content['images']),
        remedy='Lower filter_cfg.min_size, or set filter_cfg.filter_empty_gt=False.',
    )


def _use_mended(cfg: Config, path: str, mended: Path, content: dict[str, Any]) -> None:
    """Write a mended COCO file, and let data sets and metrics of the config read it."""
    mended.parent.mkdir(parents=True, exist_ok=True)
    replace_file(mended, json.dumps(content).encode())
    for stage in STAGES:
        for _, dataset in iter_datasets(cfg, stage):
            if is_same_file(annotation_file(dataset), path):
                dataset['ann_file'] = str(mended.resolve())
        for _, metric in iter_metrics(cfg, stage):
            if is_same_file(metric.get('ann_file'), path):
                metric['ann_file'] = str(mended.resolve())


def _by_class(cfg: Config, path: str) -> bool:
    """Return whether a metric gives the AP of each class of an annotation file."""
    metrics = (metric for stage in STAGES for _, metric in iter_metrics(cfg, stage))
    return any(m.get('classwise') and is_same_file(m.get('ann_file'), path) for m in metrics)


def _learns_masks(dataset: Mapping[str, Any]) -> bool:
    """Return whether the pipeline loads masks, in branches as well."""
    return any(step.get('with_mask') for step in _steps(dataset.get('pipeline')))


def _steps(pipeline: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(pipeline, dict):
        yield pipeline
        pipeline = pipeline.values()
    elif not isinstance(pipeline, (list, tuple)):
        return
    for part in pipeline:
        yield from _steps(part)


def _classes(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """Classes of a data set, those of COCO where the config has none."""
    if not _is_checked(dataset):
        return ()
    classes = (dataset.get('metainfo') or {}).get('classes')
    return tuple(CocoDataset.METAINFO['classes'] if classes is None else classes)


def _name(dataset: Mapping[str, Any]) -> str:
    return str(dataset.get('type')).rsplit('.', 1)[-1]
