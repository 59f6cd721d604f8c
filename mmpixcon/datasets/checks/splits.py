"""Splits of a data set, checked one by one and against each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmpixcon.utils.progress import track_progress

from .annotations import clean_annotations
from .categories import compare_classes
from .files import SAMPLE, check_files, compare_files, sample_of, size_reader
from .problems import Report
from .source import Source

# COCO's borders between small, medium and large objects, in pixels of area.
SMALL, LARGE = 32**2, 96**2


@dataclass(frozen=True)
class Checked:
    """A split, what was found, and its labels as a training would use them."""

    source: Source
    report: Report
    content: dict[str, Any]


def check_source(
    source: Source, number: int | None, size: tuple[int, int], masks: bool = False
) -> Checked:
    """Check the labels and photos of a split.

    Args:
        source (Source): labels.
        number (int, optional): photos to read; None reads all.
        size (tuple[int, int]): width and height that photos are resized to fit into, where
            objects are small, medium or large.
        masks (bool): whether masks are to be learned. Defaults to False.

    Returns:
        Checked: what was found.

    Raises:
        OSError: A file cannot be read.
        ValueError: The labels are not what their format says.
    """
    content, report = clean_annotations(
        source.read(), str(source.path), masks, size_reader(source.images)
    )
    if not report.fatal:
        photos: Iterable[dict[str, Any]] = sample_of(content['images'], number)
        if number is None:
            photos = track_progress(photos, f'{source.split}: photos', len(content['images']))
        check_files(photos, source.images, report)
        areas = resized_areas(content, size)
        report.numbers |= {
            'small objects': sum(area <= SMALL for area in areas),
            'medium objects': sum(SMALL < area <= LARGE for area in areas),
            'large objects': sum(area > LARGE for area in areas),
        }
    return Checked(source, report, content)


def compare_splits(splits: Sequence[Checked]) -> None:
    """Compare validation and test with the training, where there is one.

    Args:
        splits (Sequence[Checked]): splits; the reports of the later ones get the problems.
    """
    train = next((split for split in splits if split.source.split == 'train'), None)
    for split in splits:
        if train is None or split is train or split.report.fatal or train.report.fatal:
            continue
        compare_classes(train.report, split.report)
        compare_files(
            train.content['images'],
            sample_of(split.content['images'], SAMPLE),
            train.source.images,
            split.source.images,
            split.report,
        )


def resized_areas(content: Mapping[str, Any], size: tuple[int, int]) -> list[float]:
    """Measure the objects in photos that are resized to fit.

    Args:
        content (Mapping): COCO content.
        size (tuple[int, int]): width and height.

    Returns:
        list[float]: areas in pixels, without crowds.
    """
    scales = {
        image['id']: min(size[0] / image['width'], size[1] / image['height']) ** 2
        for image in content['images']
    }
    return [
        entry['area'] * scales[entry['image_id']]
        for entry in content['annotations']
        if not entry['iscrowd']
    ]
