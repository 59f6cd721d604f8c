"""The check that a metric compares detections with annotations of the same photos."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from mmpixcon.datasets.data_files import annotation_file, iter_datasets, iter_metrics
from mmpixcon.utils.files import is_same_file

from .reading import read_coco

# Metrics that find the annotations of a photo by its id, in a file of their own.
CHECKED = ('CocoMetric', 'CocoRecallMetric')


def check_metric_files(cfg: Config, stage: str, classes: Sequence[str]) -> None:
    """Compare the annotations of the metrics of a stage with those of its photos.

    A metric that reads another file than the data set finds photos by their ids, and numbers the
    classes as its own file does. Where either differs, the AP would be wrong without a word.

    Args:
        cfg (Config): whole config, with one data set of COCO's format at this stage.
        stage (str): 'train', 'val' or 'test'.
        classes (Sequence[str]): classes of the data set.

    Raises:
        ValueError: Photos or classes differ; the message names both keys.
    """
    (key, dataset), *_ = iter_datasets(cfg, stage)
    path = annotation_file(dataset)
    for name, metric in iter_metrics(cfg, stage):
        other = str(metric.get('ann_file') or '')
        kind = str(metric.get('type')).rsplit('.', 1)[-1]
        if kind not in CHECKED or not osp.isfile(other) or is_same_file(other, path):
            continue
        difference = _difference(read_coco(path, False), read_coco(other, False), classes)
        if difference:
            raise ValueError(
                f'{name}.ann_file is {other}, and {key} reads {path}: {difference}. The AP would '
                f'be wrong. Set {name}.ann_file={path}'
            )


def _difference(tested: dict[str, Any], compared: dict[str, Any], classes: Sequence[str]) -> str:
    files = {image.get('id'): image.get('file_name') for image in compared['images']}
    strangers = [i for i in tested['images'] if files.get(i.get('id'), '') != i.get('file_name')]
    if strangers:
        return (
            f'{len(strangers)} of {len(tested["images"])} photos have another id there, or are '
            f'missing ({strangers[0].get("file_name")}, id {strangers[0].get("id")})'
        )
    names = [category.get('name') for category in compared['categories']]
    if [name for name in names if name in classes] != list(classes):
        return 'its categories are not the classes of the data set, in their order'
    return ''
