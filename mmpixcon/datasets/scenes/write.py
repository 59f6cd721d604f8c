"""Writes the built-in scenes as an ordinary COCO data set.

``OUT/scenes.json`` says what is being written and comes first; every JPEG
appears under its name only when it is whole; ``OUT/annotations/*.json`` come
last. So a stopped run can be gone on with, and never passes for a finished one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any, TextIO

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from mmpixcon.utils.files import replace_file
from mmpixcon.utils.progress import track_progress
from mmpixcon.utils.tables import format_table

from .render import RENDERER_VERSION, SceneConfig, render_scene

RECORD = 'scenes.json'
# First scene of each subset, so far apart that the subsets share no scene and
# the validation set stays the same when the training set grows.
FIRST_INDEX = {'train': 0, 'val': 1 << 30}
_JPEG_QUALITY = 95
_SMALL, _LARGE = 32**2, 96**2


@dataclass(frozen=True)
class SubsetSummary:
    """Content of a subset.

    Attributes:
        images (int): Images.
        boxes (int): Annotations.
        per_class (dict[str, int]): Annotations of each class.
        small (int): Annotations of an area below 32 ** 2 pixels.
        medium (int): objects in between.
        large (int): objects of an area of at least 96 ** 2 pixels.
        kept (int): Images that an earlier run had written.
    """

    images: int
    boxes: int
    per_class: dict[str, int]
    small: int
    medium: int
    large: int
    kept: int


@dataclass(frozen=True)
class SceneSet:
    """A data set on disk.

    Attributes:
        out (Path): folder of the data.
        subsets (dict[str, SubsetSummary]): Contents of 'train' and 'val'.
        seconds (float): Time that this run took.
    """

    out: Path
    subsets: dict[str, SubsetSummary]
    seconds: float

    def table(self) -> str:
        """The contents as text, one column a subset."""
        subsets = self.subsets.values()
        fields = ('images', 'boxes', 'small', 'medium', 'large')
        rows: list[tuple[Any, ...]] = [(f, *(getattr(s, f) for s in subsets)) for f in fields]
        for name in next(iter(subsets)).per_class:
            rows.append((name, *(s.per_class[name] for s in subsets)))
        rows.append(('already there', *(s.kept for s in subsets)))
        table = format_table(['', *self.subsets], rows)
        return f'{table}\n{self.seconds:.1f} seconds, in {self.out}'


def _write_json(path: Path, content: Any) -> None:
    replace_file(path, (json.dumps(content) + '\n').encode())


def _record(config: SceneConfig, train: int, val: int) -> dict:
    return {
        'renderer': RENDERER_VERSION,
        'config': json.loads(json.dumps(dataclasses.asdict(config))),
        'images': {'train': train, 'val': val},
    }


def _image_path(out: Path, subset: str, number: int) -> Path:
    return out / subset / f'{number:06d}.jpg'


def _write_scene(
    number: int, config: SceneConfig, out: Path, subset: str
) -> tuple[bool, list[dict]]:
    """Write an image unless it is there; return whether it was, and annotations without ids."""
    scene = render_scene(config, FIRST_INDEX[subset] + number)
    path = _image_path(out, subset, number)
    kept = path.exists()
    if not kept:
        done, data = cv2.imencode('.jpg', scene.image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not done:
            raise RuntimeError(f'OpenCV cannot encode {path} as JPEG: check its installation')
        replace_file(path, data.tobytes())
    annotations = []
    for box, label, mask in zip(scene.boxes.tolist(), scene.labels.tolist(), scene.masks):
        rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
        annotations.append(
            {
                'image_id': number + 1,
                'category_id': label + 1,
                'bbox': [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                'area': int(np.count_nonzero(mask)),
                'iscrowd': 0,
                'segmentation': {'size': rle['size'], 'counts': rle['counts'].decode('ascii')},
            }
        )
    return kept, annotations


def _ignore_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _map(function: Callable, items: Iterable[int], workers: int) -> Iterator:
    if workers == 1:
        yield from map(function, items)
        return
    # An interrupt reaches the parent alone, which then ends the workers.
    with Pool(workers, initializer=_ignore_interrupt) as pool:
        yield from pool.imap(function, items, chunksize=8)


def _write_subset(
    config: SceneConfig, out: Path, subset: str, count: int, workers: int, stream: TextIO
) -> tuple[dict, int]:
    """Write the images of a subset; returns its COCO content and how many were kept."""
    (out / subset).mkdir(exist_ok=True)
    write = partial(_write_scene, config=config, out=out, subset=subset)
    annotations: list[dict[str, Any]] = []
    images_kept = 0
    scenes = _map(write, range(count), workers)
    for kept, objects in track_progress(scenes, subset, count, stream):
        images_kept += kept
        annotations += [{'id': len(annotations) + 1 + i, **o} for i, o in enumerate(objects)]
    width, height = config.size
    images = [
        {'id': i + 1, 'file_name': f'{i:06d}.jpg', 'width': width, 'height': height}
        for i in range(count)
    ]
    categories = [{'id': i + 1, 'name': name} for i, name in enumerate(config.classes)]
    return {'images': images, 'annotations': annotations, 'categories': categories}, images_kept


def _summarize(content: dict, kept: int) -> SubsetSummary:
    areas = [a['area'] for a in content['annotations']]
    names = {c['id']: c['name'] for c in content['categories']}
    per_class = dict.fromkeys(names.values(), 0)
    for annotation in content['annotations']:
        per_class[names[annotation['category_id']]] += 1
    small = sum(area < _SMALL for area in areas)
    large = sum(area >= _LARGE for area in areas)
    return SubsetSummary(
        images=len(content['images']),
        boxes=len(areas),
        per_class=per_class,
        small=small,
        medium=len(areas) - small - large,
        large=large,
        kept=kept,
    )


def _annotations(out: Path) -> dict[str, Path]:
    return {subset: out / 'annotations' / f'{subset}.json' for subset in FIRST_INDEX}


def _clear(out: Path) -> None:
    """Remove what an earlier run wrote, and nothing else."""
    for path in _annotations(out).values():
        path.unlink(missing_ok=True)
    (out / RECORD).unlink(missing_ok=True)
    image_name = re.compile(r'\d{6}\.jpg(\.\d+\.part)?')
    for subset in FIRST_INDEX:
        if (out / subset).is_dir():
            for path in (out / subset).iterdir():
                if image_name.fullmatch(path.name):
                    path.unlink()


def _prepare(out: Path, record: dict, overwrite: bool) -> None:
    """Make the folder ready for the set that ``record`` describes."""
    out.mkdir(parents=True, exist_ok=True)
    if (out / RECORD).exists():
        try:
            previous = json.loads((out / RECORD).read_text())
        except ValueError:
            previous = None
        if previous == record and not overwrite:
            return
        if not overwrite:
            raise FileExistsError(
                f'{out} holds other scenes ({_difference(previous, record)}): '
                'give another folder with --out, or --overwrite to replace them'
            )
        _clear(out)
    elif any(out.iterdir()):
        raise FileExistsError(
            f'{out} is not empty and was not written by this tool (it has no {RECORD}): '
            'give another folder with --out'
        )
    _write_json(out / RECORD, record)


def _difference(previous: Any, record: dict) -> str:
    if not isinstance(previous, dict) or set(previous) != set(record):
        return f'{RECORD} is not readable'
    flat_previous, flat_record = (
        {'renderer': r['renderer'], **r['config'], **r['images']} for r in (previous, record)
    )
    return ', '.join(
        f'{key} {flat_previous.get(key)}, not {value}'
        for key, value in flat_record.items()
        if flat_previous.get(key) != value
    )


def _read_back(out: Path, record: dict) -> dict[str, SubsetSummary] | None:
    """The contents of a finished set, None if something is missing."""
    subsets = {}
    for subset, path in _annotations(out).items():
        count = record['images'][subset]
        are_written = all(_image_path(out, subset, number).exists() for number in range(count))
        if not (path.exists() and are_written):
            return None
        subsets[subset] = _summarize(json.loads(path.read_text()), kept=count)
    return subsets


def write_scenes(
    out: str | os.PathLike,
    config: SceneConfig | None = None,
    *,
    num_train: int = 400,
    num_val: int = 100,
    workers: int = 1,
    overwrite: bool = False,
    stream: TextIO | None = None,
) -> SceneSet:
    """Write scenes as COCO: ``train/``, ``val/`` and ``annotations/``.

    Run again with the same arguments, it keeps the images that are there and
    makes the missing ones; a finished set is left as it is.

    Args:
        out (str | os.PathLike): Folder to write to.
        config (SceneConfig, optional): What scenes look like.
        num_train (int): Images to train on.
        num_val (int): Images to evaluate on; none of them is a training image.
        workers (int): Processes that draw.
        overwrite (bool): Replace other scenes that the folder holds.
        stream (TextIO, optional): stream that progress is shown on, stdout by default.

    Returns:
        SceneSet: What the folder holds now.

    Raises:
        FileExistsError: The folder holds other scenes and ``overwrite`` is
            False, or it holds something else.
        ValueError: A number of images or workers cannot be used.
    """
    for name, value in (('num_train', num_train), ('num_val', num_val), ('workers', workers)):
        if not 1 <= value <= 10**6:
            raise ValueError(f'{name} is {value}: give a number from 1 to {10**6}')
    start = time.monotonic()
    out, config, stream = Path(out), config or SceneConfig(), stream or sys.stdout
    record = _record(config, num_train, num_val)
    _prepare(out, record, overwrite)
    subsets = _read_back(out, record)
    if subsets is None:
        (out / 'annotations').mkdir(exist_ok=True)
        contents, subsets = {}, {}
        for subset, count in record['images'].items():
            contents[subset], kept = _write_subset(config, out, subset, count, workers, stream)
            subsets[subset] = _summarize(contents[subset], kept)
        for subset, path in _annotations(out).items():
            info = {'description': 'mmpixcon built-in scenes', 'subset': subset, **record}
            _write_json(path, {'info': info, 'licenses': [], **contents[subset]})
    return SceneSet(out=out, subsets=subsets, seconds=time.monotonic() - start)
