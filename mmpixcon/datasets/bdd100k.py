"""Turns the box labels of BDD100K into a COCO annotation file.

Three forms of labels are read, told apart by what the path holds: the list of
2018 (``bdd100k_labels_images_train.json``), the list of 2020
(``det_train.json``), and a folder of one file an image.

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
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from PIL import Image

from mmpixcon.utils.progress import Progress, replace_file

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
_SPACE = re.compile(r'\s*')
# Characters; the list of 2018 has more than 10 ** 9.
_CHUNK = 1 << 22
# An error further than this from the end of what was read is no cut-off value.
_CUT_OFF = 1 << 16
_WHAT_TO_GIVE = (
    'Give a list file of BDD100K (bdd100k_labels_images_train.json, det_train.json) or the '
    'folder of one .json an image (labels/100k/train).'
)


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
class _Frame:
    """An image of the labels, whichever form they have."""

    where: str
    name: str
    attributes: dict
    timestamp: Any
    labels: list


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
    for frame in _read(labels, stream):
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
        raise FileNotFoundError(f'{labels} does not exist. {_WHAT_TO_GIVE}')
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


def _read(labels: Path, stream: TextIO) -> Iterator[_Frame]:
    """Read the images of any form of labels."""
    if labels.is_dir():
        yield from _read_folder(labels, stream)
        return
    number = 0
    for number, frame in enumerate(_read_list(labels, stream), 1):
        where = f'{labels}, frame {number}'
        if not isinstance(frame, dict):
            raise ValueError(
                f'{where} is {_kind(frame)}, not an object with name and labels. {_WHAT_TO_GIVE}'
            )
        if 'frames' in frame and 'labels' not in frame:
            raise ValueError(
                f'{where} has frames of its own, as the file of one image has: give the folder '
                'that holds one such file an image.'
            )
        yield _frame(where, frame, frame, 'labels')
    if number == 0:
        raise ValueError(f'{labels} is an empty list: is the download complete? {_WHAT_TO_GIVE}')


def _read_folder(folder: Path, stream: TextIO) -> Iterator[_Frame]:
    """Read a folder of one file an image, by name of the file."""
    paths = sorted(folder.glob('*.json'))
    if not paths:
        inner = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
        hint = f' It has the folders {", ".join(inner)}: give one of them.' if inner else ''
        raise ValueError(f'{folder} holds no .json file.{hint} {_WHAT_TO_GIVE}')
    progress = Progress(f'reading {folder.name}', len(paths), stream, 'files')
    for number, path in enumerate(paths, 1):
        try:
            content = json.loads(path.read_text(encoding='utf-8-sig'))
        except ValueError as error:
            raise _not_json(path, str(error)) from error
        if not isinstance(content, dict) or not isinstance(content.get('frames'), list):
            raise ValueError(
                f'{path} is {_kind(content)}, not the labels of one image (an object with name '
                f'and a list of frames): take it out of the folder. {_WHAT_TO_GIVE}'
            )
        frames = content['frames']
        if len(frames) > 1:
            raise ValueError(
                f'{path} holds {len(frames)} frames, not one: it labels a video, take it out of '
                'the folder'
            )
        inner = frames[0] if frames else {}
        if not isinstance(inner, dict):
            raise ValueError(f'{path}: its frame is {_kind(inner)}, not an object with objects')
        yield _frame(str(path), content, inner, 'objects')
        progress.show(number)


def _frame(where: str, outer: dict, inner: dict, key: str) -> _Frame:
    """Check the parts of an image's labels.

    Args:
        where (str): For messages.
        outer (dict): Has the name and the attributes.
        inner (dict): Has the timestamp and the labels.
        key (str): What the labels are called.

    Returns:
        _Frame: The image.

    Raises:
        ValueError: A part is missing or of another type.
    """
    name = outer.get('name')
    if not isinstance(name, str) or not name:
        raise ValueError(
            f'{where} has no name: without it the labels belong to no image. Restore the labels '
            'from the download, or take it out.'
        )
    # The files of one image leave the suffix out.
    if not name.lower().endswith(('.jpg', '.jpeg', '.png')):
        name += '.jpg'
    where = f'{where} ({name})'
    attributes, labels = outer.get('attributes') or {}, inner.get(key) or []
    for part, value, kind in ((key, labels, list), ('attributes', attributes, dict)):
        if not isinstance(value, kind):
            raise ValueError(
                f'{where}: {part} is {_kind(value)}, not {_KINDS[kind]}. Restore the labels from '
                'the download.'
            )
    return _Frame(where, name, attributes, inner.get('timestamp'), labels)


def _convert_frame(frame: _Frame, size: tuple[int, int], tally: _Tally) -> tuple[dict, list[dict]]:
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
    frame: _Frame, size: tuple[int, int] | None, img_dir: str | os.PathLike | None
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


def _read_list(path: Path, stream: TextIO) -> Iterator[Any]:
    """Read the elements of a JSON list one by one: the whole would not fit into memory.

    Args:
        path (Path): File.
        stream (TextIO): Where progress is shown.

    Yields:
        Any: Element.

    Raises:
        ValueError: The file is no JSON, or no list.
    """
    decoder = json.JSONDecoder()
    progress = Progress(f'reading {path.name}', max(1, path.stat().st_size >> 20), stream, 'MB')
    text, at = '', 0
    with open(path, encoding='utf-8-sig') as file:

        def more() -> bool:
            nonlocal text, at
            try:
                chunk = file.read(_CHUNK)
            except UnicodeDecodeError as error:
                raise _not_json(path, str(error)) from error
            text, at = text[at:] + chunk, 0
            if chunk:
                progress.show(file.buffer.tell() >> 20)
            return bool(chunk)

        def following() -> str:
            """Go to the next character that is no space; '' at the end."""
            nonlocal at
            while True:
                at = _SPACE.match(text, at).end()
                if at < len(text) or not more():
                    return text[at : at + 1]

        def value() -> Any:
            nonlocal at
            while True:
                try:
                    element, at = decoder.raw_decode(text, at)
                    return element
                except json.JSONDecodeError as error:
                    if error.pos < len(text) - _CUT_OFF or not more():
                        raise _not_json(
                            path, f'{error.msg}, near {text[at : at + 40]!r}'
                        ) from error

        first = following()
        if first == '{':
            raise ValueError(f'{path} is an object, not a list of frames. {_WHAT_TO_GIVE}')
        if first != '[':
            raise _not_json(path, f'it begins with {text[at : at + 20]!r}')
        at += 1
        if following() == ']':
            return
        while True:
            yield value()
            separator = following()
            at += 1
            if separator == ']':
                break
            if separator != ',':
                raise _not_json(path, f'{separator!r} where a comma or ] should be')
            following()
        if following():
            raise _not_json(path, f'text after the list: {text[at : at + 20]!r}')


def _not_json(path: Path, reason: str) -> ValueError:
    return ValueError(f'{path} is not JSON ({reason}): is the download complete? {_WHAT_TO_GIVE}')


_KINDS = {
    dict: 'an object',
    list: 'a list',
    str: 'a text',
    bool: 'true or false',
    type(None): 'null',
}


def _kind(value: Any) -> str:
    """Say in JSON's words what a value is."""
    return _KINDS.get(type(value), 'a number')


def _taken(source: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    """The fields that have a value."""
    if not isinstance(source, dict):
        return {}
    return {name: source[name] for name in fields if source.get(name) is not None}


def _counts(counts: dict[str, int]) -> str:
    """Write counts in one line, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ', '.join(f'{name} {count}' for name, count in ordered) or 'none'
