"""Write the box labels of BDD100K as a COCO annotation file.

Example::

    python tools/dataset_converters/bdd100k_to_coco.py \
        data/bdd100k/labels/bdd100k_labels_images_train.json \
        --out data/bdd100k/labels/bdd100k_det_train_coco.json

Labels come as the list of 2018 (``bdd100k_labels_images_train.json``), the list of 2020
(``det_train.json``) or a folder of one file an image. The classes have the names of 2020; those of
2018 (person, motor, bike) become them. 'other person', 'other vehicle' and 'trailer' become regions
to ignore (``iscrowd``) of pedestrian, car and truck: no detector learns from them, and a detection
that lies in one is no false alarm. Images are ordered by name and both ids start from 1, so the
same labels give the same file, whichever way they are listed.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from mmpixcon.limits import check_annotation_size
from mmpixcon.utils.files import replace_file
from mmpixcon.utils.progress import show_progress, track_progress
from mmpixcon.utils.tables import format_table

CLASSES = (
    *('pedestrian', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle'),
    *('traffic light', 'traffic sign'),
)
OLD_NAMES = {'person': 'pedestrian', 'motor': 'motorcycle', 'bike': 'bicycle'}
IGNORED = {'other person': 'pedestrian', 'other vehicle': 'car', 'trailer': 'truck'}
SIZE = (1280, 720)
IMAGE_FIELDS = ('weather', 'scene', 'timeofday')
BOX_FIELDS = ('occluded', 'truncated', 'trafficLightColor')
CORNERS = ('x1', 'y1', 'x2', 'y2')
DECIMALS = 3
WHAT_TO_GIVE = (
    'Give a list file of BDD100K (bdd100k_labels_images_train.json, det_train.json) or the '
    'folder of one .json an image (labels/100k/train).'
)
RESTORE = 'Restore the labels from the download, or take it out.'

Frame = tuple[str, str, dict[str, Any]]


def read_frames(labels: Path) -> Iterator[Frame]:
    """Read the images of labels in any form, one by one.

    Args:
        labels (Path): list file, or folder of one file an image.

    Yields:
        tuple[str, str, dict]: place of the labels for messages, name of the image, and its labels
        as the lists have them.

    Raises:
        ValueError: The labels are not what they should be.
    """
    empty = True
    for where, frame in read_folder(labels) if labels.is_dir() else read_list(labels):
        empty = False
        if not isinstance(frame, dict):
            raise ValueError(f'{where} is not an object with name and labels. {WHAT_TO_GIVE}')
        if 'frames' in frame:
            raise ValueError(
                f'{where} is the file of one image: give the folder that holds such files.'
            )
        name = frame.get('name')
        if not isinstance(name, str) or not name:
            raise ValueError(f'{where} has no name: its labels belong to no image. {RESTORE}')
        # The files of one image leave the suffix out.
        name = name if name.lower().endswith(('.jpg', '.jpeg', '.png')) else f'{name}.jpg'
        for key, kind in (('labels', list), ('attributes', dict)):
            if not isinstance(frame.get(key) or kind(), kind):
                raise ValueError(
                    f'{where} ({name}): {key} is not a JSON {kind.__name__}. {RESTORE}'
                )
        yield f'{where} ({name})', name, frame
    if empty:
        raise ValueError(f'{labels} holds no labels: is the download complete? {WHAT_TO_GIVE}')


def read_list(path: Path) -> Iterator[tuple[str, Any]]:
    """Read the elements of a JSON list one by one: the whole would not fit into memory."""
    try:
        import ijson
    except ImportError as error:
        raise ValueError(
            "ijson is not installed, which reads the large lists of BDD100K: pip install 'ijson>=3'"
        ) from error
    megabytes = math.ceil(path.stat().st_size / 1e6)
    with (
        path.open('rb') as file,
        show_progress(f'reading {path.name}', megabytes, unit='MB') as show,
    ):
        if file.read(3) != b'\xef\xbb\xbf':
            file.seek(0)
        start = file.tell()
        first = file.read(1024).lstrip()[:1]
        file.seek(start)
        if first == b'{':
            raise ValueError(f'{path} is an object, not a list of frames. {WHAT_TO_GIVE}')
        try:
            for number, frame in enumerate(ijson.items(file, 'item', use_float=True), 1):
                yield f'{path}, frame {number}', frame
                show(math.ceil(file.tell() / 1e6))
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise ValueError(
                f'{path} is not JSON ({str(error).splitlines()[0]}): is the download complete? '
                f'{WHAT_TO_GIVE}'
            ) from error


def read_folder(folder: Path) -> Iterator[tuple[str, Any]]:
    """Read a folder of one file an image, by name of the file, as the lists have them."""
    paths = sorted(folder.glob('*.json'))
    if not paths:
        inner = ', '.join(sorted(path.name for path in folder.iterdir() if path.is_dir()))
        hint = f' It has the folders {inner}: give one of them.' if inner else ''
        raise ValueError(f'{folder} holds no .json file.{hint} {WHAT_TO_GIVE}')
    for path in track_progress(paths, f'reading {folder.name}', len(paths), unit='files'):
        check_annotation_size(path)
        try:
            content = json.loads(path.read_text(encoding='utf-8-sig'))
        except ValueError as error:
            raise ValueError(f'{path} is not JSON ({error}): is the download complete?') from error
        frames = content.get('frames') if isinstance(content, dict) else None
        if not isinstance(frames, list) or len(frames) > 1:
            raise ValueError(
                f'{path} does not hold the labels of one image (an object with name and a list of '
                f'one frame): take it out of the folder. {WHAT_TO_GIVE}'
            )
        inner = frames[0] if frames else {}
        if not isinstance(inner, dict):
            raise ValueError(f'{path}: its frame is not an object with objects. {RESTORE}')
        outer = {key: content[key] for key in ('name', 'attributes') if key in content}
        yield (
            str(path),
            {**outer, 'labels': inner.get('objects'), 'timestamp': inner.get('timestamp')},
        )


def convert_labels(
    where: str, labels: list[Any], size: tuple[int, int], counts: Counter[str]
) -> list[dict[str, Any]]:
    """Turn the labels of an image into COCO annotations without ids.

    Boxes are clipped to the image; x1 to y2 are taken as points, so that a box is x2 - x1 wide.

    Args:
        where (str): place of the labels, for messages.
        labels (list): labels of the image.
        size (tuple[int, int]): width and height in pixels.
        counts (Counter): what is written and left out, added to.

    Returns:
        list[dict]: annotations.

    Raises:
        ValueError: A label is not what it should be.
    """
    annotations = []
    for number, label in enumerate(labels, 1):
        category = label.get('category') if isinstance(label, dict) else None
        if not isinstance(category, str):
            raise ValueError(f'{where}, label {number} has no category. {RESTORE}')
        name = IGNORED.get(category) or OLD_NAMES.get(category, category)
        box2d = label.get('box2d')
        if box2d is None:
            # Lanes and drivable areas are no boxes.
            counts['left out: no box'] += name in CLASSES
            continue
        corners = [box2d.get(key) if isinstance(box2d, dict) else None for key in CORNERS]
        if any(type(value) not in (int, float) for value in corners):
            raise ValueError(
                f'{where}, label {number}: box2d is {json.dumps(box2d)[:80]}, not four numbers x1, '
                f'y1, x2, y2. {RESTORE}'
            )
        if name not in CLASSES:
            counts[f'left out: unknown category {category}'] += 1
            continue
        x1, y1, x2, y2 = (
            min(max(value, 0), limit) for value, limit in zip(corners, (*size, *size))
        )
        box = [round(value, DECIMALS) for value in (x1, y1, x2 - x1, y2 - y1)]
        if not all(map(math.isfinite, corners)) or box[2] <= 0 or box[3] <= 0:
            counts['left out: no area'] += 1
            continue
        region = category in IGNORED
        counts[f'region to ignore: {category}' if region else name] += 1
        annotations.append(
            {
                'category_id': CLASSES.index(name) + 1,
                'bbox': box,
                'area': round(box[2] * box[3], DECIMALS),
                'iscrowd': int(region),
                **_taken(label.get('attributes'), BOX_FIELDS),
            }
        )
    return annotations


def convert(
    labels: Path,
    out: Path,
    size: tuple[int, int] | None = None,
    img_dir: Path | None = None,
    overwrite: bool = False,
) -> Counter[str]:
    """Write the box labels of BDD100K as a COCO annotation file.

    Args:
        labels (Path): list file, or folder of one file an image.
        out (Path): COCO file to write.
        size (tuple[int, int], optional): width and height of all images in pixels. Defaults to
            None, 1280 x 720.
        img_dir (Path, optional): folder of the images, whose sizes are then read. Defaults to None.
        overwrite (bool): whether to replace ``out`` if it is there. Defaults to False.

    Returns:
        Counter: numbers of images, of boxes by class, and of what was left out, by name.

    Raises:
        FileNotFoundError: Labels or an image are missing.
        FileExistsError: ``out`` is there and ``overwrite`` is False.
        ValueError: The labels are not what they should be, or ``out`` would become part of them.
    """
    if not labels.exists():
        raise FileNotFoundError(f'{labels} does not exist. {WHAT_TO_GIVE}')
    if labels.resolve() in (out.resolve(), out.resolve().parent):
        raise ValueError(f'{out} would become part of the labels: give another file to write')
    if out.is_dir():
        raise ValueError(f'{out} is a folder: give the file to write, such as {out / "train.json"}')
    if out.exists() and not overwrite:
        raise FileExistsError(f'{out} is already there: give another file, or --overwrite')
    counts: Counter[str] = Counter()
    entries: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {}
    for where, name, frame in read_frames(labels):
        if name in entries:
            raise ValueError(
                f'{where}: the name {name} was already given by {entries[name][0]}. Two sets of '
                'labels seem to be mixed: give one of them.'
            )
        width, height = (size or SIZE) if img_dir is None else _size_of(img_dir / name, where)
        image = {'file_name': name, 'width': width, 'height': height}
        image |= _taken(frame.get('attributes'), IMAGE_FIELDS) | _taken(frame, ('timestamp',))
        boxes = convert_labels(where, frame.get('labels') or [], (width, height), counts)
        counts['images'] += 1
        counts['images without a box'] += not boxes
        entries[name] = where, image, boxes
    images, annotations = [], []
    for number, (_, image, boxes) in enumerate((entries[name] for name in sorted(entries)), 1):
        images.append({'id': number, **image})
        for annotation in boxes:
            ids = {'id': len(annotations) + 1, 'image_id': number}
            annotations.append({**ids, **annotation})
    content = {
        'info': {'description': 'BDD100K, boxes of 10 classes'},
        'licenses': [],
        'images': images,
        'annotations': annotations,
        'categories': [{'id': number, 'name': name} for number, name in enumerate(CLASSES, 1)],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, (json.dumps(content) + '\n').encode())
    return counts


def _size_of(path: Path, where: str) -> tuple[int, int]:
    """Read width and height of an image from its header."""
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist, but {where} is labeled. Give the images of the same split as '
            '--img-dir, or leave it out if all images are 1280 x 720.'
        )
    try:
        with Image.open(path) as image:
            return image.size
    except OSError as error:
        raise ValueError(f'{path} is no readable image ({error}): restore the file') from error


def _taken(source: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    """Take the fields that have a value."""
    source = source if isinstance(source, dict) else {}
    return {name: source[name] for name in fields if source.get(name) is not None}


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', text)
    if not match:
        raise argparse.ArgumentTypeError(f'{text!r} is not WIDTHxHEIGHT, such as 1280x720')
    return int(match[1]), int(match[2])


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('labels', type=Path, help='list file of 2018 or 2020, or a folder')
    parser.add_argument('--out', type=Path, required=True, help='COCO file to write')
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument(
        '--size', type=_size, metavar='WxH', help='size of all images (default: 1280x720)'
    )
    sizes.add_argument(
        '--img-dir', type=Path, help='folder of the images, to read each size from its file'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace --out if it is there')
    return parser.parse_args()


def main() -> int:
    """Convert; 1 on an error, 130 when interrupted."""
    try:
        args = parse_args()
        counts = convert(**vars(args))
    except (ValueError, OSError) as error:
        print(f'bdd100k_to_coco: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nInterrupted; nothing was written.', file=sys.stderr)
        return 130
    order = ('images without a box', *CLASSES)
    rest = sorted(counts.keys() - {'images', *order})
    rows = [(name, counts[name]) for name in (*order, *rest)]
    print(format_table(['images', counts['images']], rows))
    unknown = [name for name in counts if 'unknown' in name]
    if unknown:
        print(f'bdd100k_to_coco: warning: {", ".join(sorted(unknown))}', file=sys.stderr)
    print(f'in {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
