"""Turns the box labels of BDD100K into a COCO annotation file.

``bdd100k_labels.py`` reads them, in any of their three forms.

The classes have the names of 2020; those of 2018 (person, motor, bike) become
them. 'other person', 'other vehicle' and 'trailer' become regions to ignore
(``iscrowd``) of pedestrian, car and truck: no detector learns from them, and a
detection that lies in one is no false alarm.

Images are ordered by name and both ids start from 1, so the same labels give
the same file, whichever way they are listed.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from PIL import Image

from mmpixcon.utils.files import replace_file

from .bdd100k_labels import WHAT_TO_GIVE, BDDFrame, read_frames

CLASSES = (
    'pedestrian',
    'rider',
    'car',
    'truck',
    'bus',
    'train',
    'motorcycle',
    'bicycle',
    'traffic light',
    'traffic sign',
)
OLD_NAMES = {'person': 'pedestrian', 'motor': 'motorcycle', 'bike': 'bicycle'}
IGNORED = {'other person': 'pedestrian', 'other vehicle': 'car', 'trailer': 'truck'}
DEFAULT_SIZE = (1280, 720)

_IMAGE_FIELDS = ('weather', 'scene', 'timeofday')
_BOX_FIELDS = ('occluded', 'truncated', 'trafficLightColor')
_CORNERS = ('x1', 'y1', 'x2', 'y2')
_CATEGORY_IDS = {name: number for number, name in enumerate(CLASSES, 1)}
_DECIMALS = 3


@dataclass(frozen=True)
class BDDSummary:
    """What was written, and what was not.

    Attributes:
        out (Path): The file.
        images (int): Images.
        empty (int): Those without a box.
        boxes (dict[str, int]): Boxes of each class, without regions to ignore.
        occluded (dict[str, int]): Those that are marked as occluded.
        ignored (dict[str, int]): Regions to ignore, by category of the labels.
        degenerate (int): Boxes left out: without an area on the image, or not
            finite.
        unboxed (int): Labels of a class left out because they have no box.
        unknown (dict[str, int]): Boxes left out, by category that is not known.
        weather (dict[str, int]): Images by weather.
        seconds (float): Time that it took.
    """

    out: Path
    images: int
    empty: int
    boxes: dict[str, int]
    occluded: dict[str, int]
    ignored: dict[str, int]
    degenerate: int
    unboxed: int
    unknown: dict[str, int]
    weather: dict[str, int]
    seconds: float

    def table(self) -> str:
        """The contents as text."""
        lines = [f'{"":<14}{"boxes":>9}{"occluded":>10}']
        rows = [(name, self.boxes[name], self.occluded[name]) for name in self.boxes]
        rows.append(('all', sum(self.boxes.values()), sum(self.occluded.values())))
        for name, boxes, occluded in rows:
            share = f'{occluded / boxes:.1%}' if boxes else '-'
            lines.append(f'{name:<14}{boxes:>9}{share:>10}')
        lines.append(f'regions to ignore: {_counts(self.ignored)}')
        lines.append(f'images: {self.images}, {self.empty} of them without a box')
        lines.append(f'weather: {_counts(self.weather)}')
        lines.append(
            f'left out: {self.degenerate} boxes without an area, {self.unboxed} labels without a '
            f'box, {sum(self.unknown.values())} boxes of unknown categories'
        )
        return '\n'.join([*lines, f'{self.seconds:.1f} seconds, in {self.out}'])

    def warning(self) -> str | None:
        """What the reader must know, if there is anything."""
        if not self.unknown:
            return None
        return f'boxes of unknown categories are left out: {_counts(self.unknown)}'


@dataclass
class _Tally:
    """What is counted on the way."""

    boxes: Counter = field(default_factory=Counter)
    occluded: Counter = field(default_factory=Counter)
    ignored: Counter = field(default_factory=Counter)
    unknown: Counter = field(default_factory=Counter)
    weather: Counter = field(default_factory=Counter)
    degenerate: int = 0
    unboxed: int = 0
    empty: int = 0


def convert(
    labels: str | os.PathLike,
    out: str | os.PathLike,
    *,
    size: tuple[int, int] | None = None,
    img_dir: str | os.PathLike | None = None,
    overwrite: bool = False,
    stream: TextIO | None = None,
) -> BDDSummary:
    """Write the box labels of BDD100K as a COCO annotation file.

    Boxes are clipped to the image; x1 to y2 are taken as points, so that a box
    is x2 - x1 wide. ``occluded``, ``truncated`` and ``trafficLightColor`` stay
    as fields of the annotation, ``weather``, ``scene``, ``timeofday`` and
    ``timestamp`` as fields of the image. Lanes and drivable areas are no boxes.

    Args:
        labels (str | os.PathLike): List file, or folder of one file an image.
        out (str | os.PathLike): COCO file to write.
        size (tuple[int, int], optional): Width and height of all images in
            pixels. Defaults to None, 1280 x 720.
        img_dir (str | os.PathLike, optional): Folder of the images, whose
            sizes are then read. Defaults to None.
        overwrite (bool): Replace ``out`` if it is there. Defaults to False.
        stream (TextIO, optional): Where progress is shown, stdout by default.

    Returns:
        BDDSummary: What was written.

    Raises:
        FileNotFoundError: Labels, image folder or an image are missing.
        FileExistsError: ``out`` is there and ``overwrite`` is False.
        ValueError: The labels are not what they should be; ``size`` and
            ``img_dir`` are both given; or ``out`` would become part of the
            labels.
    """
    start = time.monotonic()
    labels, out, stream = Path(labels), Path(out), stream or sys.stdout
    _check_paths(labels, out, overwrite)
    if size is not None and img_dir is not None:
        raise ValueError('size and img_dir both say how large the images are: give one of them')
    if img_dir is not None and not Path(img_dir).is_dir():
        raise FileNotFoundError(f'{img_dir} is no folder: give the folder of the images as img_dir')
    tally = _Tally()
    seen: dict[str, str] = {}
    entries: list[tuple[dict, list[dict]]] = []
    for frame in read_frames(labels, stream):
        if frame.name in seen:
            raise ValueError(
                f'{frame.where}: the name {frame.name} was already given by {seen[frame.name]}. '
                'Two sets of labels seem to be mixed: give one of them.'
            )
        seen[frame.name] = frame.where
        entries.append(_convert_frame(frame, _size_of(frame, size, img_dir), tally))
    entries.sort(key=lambda entry: entry[0]['file_name'])
    images, annotations = [], []
    for image, found in entries:
        images.append({'id': len(images) + 1, **image})
        for annotation in found:
            ids = {'id': len(annotations) + 1, 'image_id': len(images)}
            annotations.append({**ids, **annotation})
    content = {
        'info': {'description': 'BDD100K, boxes of 10 classes'},
        'licenses': [],
        'images': images,
        'annotations': annotations,
        'categories': [{'id': number, 'name': name} for name, number in _CATEGORY_IDS.items()],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, (json.dumps(content) + '\n').encode())
    return BDDSummary(
        out=out,
        images=len(images),
        empty=tally.empty,
        boxes={name: tally.boxes[name] for name in CLASSES},
        occluded={name: tally.occluded[name] for name in CLASSES},
        ignored=dict(tally.ignored),
        degenerate=tally.degenerate,
        unboxed=tally.unboxed,
        unknown=dict(tally.unknown),
        weather=dict(tally.weather),
        seconds=time.monotonic() - start,
    )


def _check_paths(labels: Path, out: Path, overwrite: bool) -> None:
    """Refuse what would be noticed too late, or would destroy the labels."""
    if not labels.exists():
        raise FileNotFoundError(f'{labels} does not exist. {WHAT_TO_GIVE}')
    source, target = labels.resolve(), out.resolve()
    if target == source or (labels.is_dir() and target.parent == source):
        raise ValueError(
            f'{out} would become part of the labels in {labels}: give another file to write'
        )
    if out.is_dir():
        raise ValueError(f'{out} is a folder: give the file to write, such as {out / "train.json"}')
    if out.exists() and not overwrite:
        raise FileExistsError(
            f'{out} is already there: give another file, or --overwrite to replace it'
        )


def _convert_frame(
    frame: BDDFrame, size: tuple[int, int], tally: _Tally
) -> tuple[dict, list[dict]]:
    """Turn an image into COCO's; both parts lack their ids."""
    image = {'file_name': frame.name, 'width': size[0], 'height': size[1]}
    image.update(_taken(frame.attributes, _IMAGE_FIELDS))
    image.update(_taken({'timestamp': frame.timestamp}, ('timestamp',)))
    tally.weather[str(image.get('weather', 'not given'))] += 1
    annotations = []
    for number, label in enumerate(frame.labels, 1):
        where = f'{frame.where}, label {number}'
        if not isinstance(label, dict) or not isinstance(label.get('category'), str):
            raise ValueError(
                f'{where} has no category. Restore the labels from the download, or take it out.'
            )
        category = label['category']
        region = category in IGNORED
        name = IGNORED.get(category) or OLD_NAMES.get(category, category)
        if label.get('box2d') is None:
            tally.unboxed += name in _CATEGORY_IDS
            continue
        corners = _corners(where, label['box2d'])
        if name not in _CATEGORY_IDS:
            tally.unknown[category] += 1
            continue
        box = _clip(corners, size)
        if box is None:
            tally.degenerate += 1
            continue
        marks = _taken(label.get('attributes') or {}, _BOX_FIELDS)
        if region:
            tally.ignored[category] += 1
        else:
            tally.boxes[name] += 1
            tally.occluded[name] += marks.get('occluded') is True
        annotations.append(
            {
                'category_id': _CATEGORY_IDS[name],
                'bbox': box,
                'area': round(box[2] * box[3], _DECIMALS),
                'iscrowd': int(region),
                **marks,
            }
        )
    tally.empty += not annotations
    return image, annotations


def _corners(where: str, box: Any) -> list[float]:
    """Read x1, y1, x2 and y2 of a box."""
    values = [box.get(corner) for corner in _CORNERS] if isinstance(box, dict) else []
    if not values or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in values):
        raise ValueError(
            f'{where}: box2d is {json.dumps(box)[:80]}, not four numbers x1, y1, x2, y2. Restore '
            'the labels from the download, or take it out.'
        )
    return values


def _clip(corners: list[float], size: tuple[int, int]) -> list[float] | None:
    """Clip a box to the image; None if nothing of it is left.

    Args:
        corners (list[float]): x1, y1, x2, y2 in pixels.
        size (tuple[int, int]): Width and height in pixels.

    Returns:
        list[float] | None: x, y, width, height in pixels.
    """
    if not all(math.isfinite(value) for value in corners):
        return None
    x1, y1, x2, y2 = (min(max(value, 0), limit) for value, limit in zip(corners, (*size, *size)))
    box = [round(value, _DECIMALS) for value in (x1, y1, x2 - x1, y2 - y1)]
    return box if box[2] > 0 and box[3] > 0 else None


def _size_of(
    frame: BDDFrame, size: tuple[int, int] | None, img_dir: str | os.PathLike | None
) -> tuple[int, int]:
    """Width and height of an image, from its header where the images are given."""
    if img_dir is None:
        return size or DEFAULT_SIZE
    path = Path(img_dir) / frame.name
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist, but {frame.where} is labelled. Give the images of the same '
            'split as img_dir, or leave it out if all images are 1280 x 720.'
        )
    try:
        with Image.open(path) as image:
            return image.size
    except OSError as error:
        raise ValueError(f'{path} is no readable image ({error}): restore the file') from error


def _taken(source: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    """The fields that have a value."""
    if not isinstance(source, dict):
        return {}
    return {name: source[name] for name in fields if source.get(name) is not None}


def _counts(counts: dict[str, int]) -> str:
    """Write counts in one line, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ', '.join(f'{name} {count}' for name, count in ordered) or 'none'
