"""Labels of any format as the COCO files that a training reads, with a split for validation."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmpixcon.datasets.checks.categories import align_categories
from mmpixcon.datasets.checks.files import SAMPLE
from mmpixcon.datasets.checks.problems import BadDataError, Report
from mmpixcon.datasets.checks.source import Source
from mmpixcon.datasets.checks.sources import find_sources
from mmpixcon.datasets.checks.splits import Checked, check_source, compare_splits
from mmpixcon.datasets.unlabelled import SUFFIXES
from mmpixcon.utils.files import replace_file

#: Share of the photos that is set apart where no validation is given.
VALIDATION_SHARE = 0.2
# Where the size of objects is counted; only tables show it.
INPUT_SIZE = (1333, 800)


@dataclass(frozen=True)
class FitData:
    """Data of a training, as files.

    Attributes:
        train (Path): COCO file.
        val (Path): COCO file.
        train_images (Path): folder that file names of ``train`` start from.
        val_images (Path): folder that file names of ``val`` start from.
        classes (tuple[str, ...]): names of the classes.
        numbers (dict[str, tuple[int, int]]): images and objects by 'train' and 'val'.
        size (tuple[int, int]): median width and height of the photos.
        unlabelled (Path, optional): folder of photos without labels; None takes those of ``train``.
        num_unlabelled (int): photos to pretrain on.
        reports (tuple[Report, ...]): what the check found.
        was_split (bool): whether the validation was set apart from the training.
    """

    train: Path
    val: Path
    train_images: Path
    val_images: Path
    classes: tuple[str, ...]
    numbers: dict[str, tuple[int, int]]
    size: tuple[int, int]
    unlabelled: Path | None
    num_unlabelled: int
    reports: tuple[Report, ...]
    was_split: bool


def prepare_data(train: Path, val: Path | None, unlabelled: Path | None, out: Path) -> FitData:
    """Read, check and split data, and write them as COCO files.

    Args:
        train (Path): folder or file with labels, of any format of :func:`find_sources`.
        val (Path, optional): the same to validate on. None takes the validation of ``train``, or
            sets a fifth of its photos apart.
        unlabelled (Path, optional): folder of photos without labels. None takes those of ``train``.
        out (Path): folder of the COCO files, made if it is missing.

    Returns:
        FitData: data that a training can begin with.

    Raises:
        BadDataError: A training would go wrong with the data.
        OSError: A file or folder is missing or cannot be read.
        ValueError: There is no known format, or there are too few photos.
    """
    sources = {source.split: source for source in find_sources(train)}
    first = sources.get('train') or sources.get('all') or next(iter(sources.values()))
    second = sources.get('val') if val is None else _validation_of(val)
    if second is first:
        second = None
    splits = [_checked(first, 'train')]
    if second is not None:
        splits.append(_checked(second, 'val'))
    compare_splits(splits)
    if any(split.report.fatal for split in splits):
        raise BadDataError([split.report for split in splits], f'Look: mmpixcon check {train}')
    contents = [split.content for split in splits]
    if second is None:
        contents = list(split_off(contents[0], str(train)))
    classes = tuple(category['name'] for category in contents[0]['categories'])
    content, held_out = (align_categories(part, classes, renumber=True) for part in contents)
    folders = first.images, (first if second is None else second).images
    files = []
    for name, part in (('train', content), ('val', held_out)):
        path = out / f'{name}.json'
        out.mkdir(parents=True, exist_ok=True)
        # The same file if nothing changed: a run that is done stays done.
        replace_file(path, json.dumps(part).encode())
        files.append(path.resolve())
    return FitData(
        train=files[0],
        val=files[1],
        train_images=folders[0].resolve(),
        val_images=folders[1].resolve(),
        classes=classes,
        numbers={
            name: (len(part['images']), len(part['annotations']))
            for name, part in (('train', content), ('val', held_out))
        },
        size=_median_size(content),
        unlabelled=None if unlabelled is None else unlabelled.resolve(),
        num_unlabelled=(len(content['images']) if unlabelled is None else count_photos(unlabelled)),
        reports=tuple(split.report for split in splits if split.report.problems),
        was_split=second is None,
    )


def split_off(content: dict[str, Any], name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set photos apart to validate on, with objects of every class where there are two photos.

    Photos come in the order of a hash of their names, which is the same on every machine. Those
    of rare classes are dealt first, so that they reach both parts.

    Args:
        content (dict[str, Any]): COCO content.
        name (str): what the data are called in an error.

    Returns:
        tuple[dict[str, Any], dict[str, Any]]: content to train and to validate on.

    Raises:
        ValueError: There are fewer than two photos with objects.
    """
    classes: dict[Any, set[Any]] = {image['id']: set() for image in content['images']}
    for entry in content['annotations']:
        classes[entry['image_id']].add(entry['category_id'])
    labelled = [image for image in content['images'] if classes[image['id']]]
    if len(labelled) < 2:
        raise ValueError(
            f'{name} has {len(labelled)} photos with objects: two are the least to train and to '
            'validate on. Label more, or give --val'
        )
    counts = Counter(key for keys in classes.values() for key in keys)
    # Photos without objects come last; the rarest class of the others decides.
    rarest = {
        key: min(keys, key=lambda c: (counts[c], str(c)), default=None)
        for key, keys in classes.items()
    }
    groups: dict[Any, list[dict[str, Any]]] = {}
    for image in sorted(content['images'], key=_place):
        groups.setdefault(rarest[image['id']], []).append(image)
    every = round(1 / VALIDATION_SHARE)
    kept: set[Any] = set()
    for group in sorted(groups.values(), key=len):
        # One of five, and one of a group of two to four.
        chosen = group[1::every] if len(group) < every else group[every - 1 :: every]
        kept |= {image['id'] for image in chosen}
    if not kept & {image['id'] for image in labelled}:
        kept.add(sorted(labelled, key=_place)[-1]['id'])
    return tuple(_part(content, kept, inside) for inside in (False, True))  # type: ignore[return-value]


def count_photos(folder: Path) -> int:
    """Count the photos below a folder.

    Args:
        folder (Path): folder.

    Returns:
        int: photos.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: It has no photos.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'--unlabelled {folder} is not a folder')
    number = sum(path.suffix.lower() in SUFFIXES for path in folder.rglob('*'))
    if not number:
        raise ValueError(f'--unlabelled {folder} has no photos ({", ".join(SUFFIXES)})')
    return number


def _validation_of(path: Path) -> Source:
    sources = {source.split: source for source in find_sources(path)}
    return sources.get('val') or sources.get('all') or next(iter(sources.values()))


def _checked(source: Source, split: str) -> Checked:
    named = Source(split, source.format, source.path, source.images, source.read)
    return check_source(named, SAMPLE, INPUT_SIZE)


def _place(image: dict[str, Any]) -> bytes:
    return hashlib.sha256(str(image['file_name']).encode()).digest()


def _part(content: dict[str, Any], kept: set[Any], inside: bool) -> dict[str, Any]:
    return content | dict(
        images=[image for image in content['images'] if (image['id'] in kept) == inside],
        annotations=[a for a in content['annotations'] if (a['image_id'] in kept) == inside],
    )


def _median_size(content: dict[str, Any]) -> tuple[int, int]:
    return tuple(  # type: ignore[return-value]
        int(statistics.median(image[key] for image in content['images']))
        for key in ('width', 'height')
    )
