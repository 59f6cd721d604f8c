"""Write the household photos (curtain, pot, toaster) in COCO format, without near duplicates.

Example::

    git clone https://github.com/Arka-h/pot-curtain-toaster-object-detection-classes-dataset \
        data/household/images
    python tools/dataset_converters/household_to_coco.py data/household/images

The photos come from the web, with one stock photo under several watermarks, and the published
split has copies of training photos among those to evaluate on. All three parts are put together
here, one photo of each group of near duplicates is kept, and a fifth of them is set apart for
evaluation, less those that still look like one to train on. Which ones follows from the photos
alone, so that the split is the same anywhere.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mmpixcon.utils.files import replace_file
from mmpixcon.utils.progress import track_progress

CLASSES = ('curtain', 'pot', 'toaster')
PARTS = ('train', 'valid', 'test')
# Sides of the gray thumbnail that a photo is compared by.
HASH_SIZE = 12
# Of its 144 bits: photos that differ in fewer are the same one, scaled, watermarked or mirrored.
# Beyond that, objects on white become one group, though they are different ones.
NEAR = 20
# Nothing to evaluate on differs in fewer from a photo to train on.
APART = 26
VALIDATION_SHARE = 5
WHERE_FROM = (
    'clone https://github.com/Arka-h/pot-curtain-toaster-object-detection-classes-dataset '
    'and give its folder'
)


def difference_hash(gray: np.ndarray) -> np.ndarray:
    """Tell a photo by where its thumbnail gets brighter from left to right.

    Args:
        gray (np.ndarray): photo of shape (H, W), uint8.

    Returns:
        np.ndarray: bits of shape (HASH_SIZE ** 2,), bool.
    """
    thumbnail = cv2.resize(gray, (HASH_SIZE + 1, HASH_SIZE), interpolation=cv2.INTER_AREA)
    return (thumbnail[:, 1:] > thumbnail[:, :-1]).reshape(-1)


def differing_bits(hashes: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Count the bits in which photos differ, mirrored or not, whichever is less.

    Args:
        hashes (np.ndarray): bits of each photo, shape (N, B), bool.
        mirrored (np.ndarray): those of the photo mirrored, shape (N, B), bool.

    Returns:
        np.ndarray: counts of shape (N, N).
    """
    # As matrix products of +-1.
    signs = hashes.astype(np.float32) * 2 - 1
    same = np.maximum(signs @ signs.T, signs @ (mirrored.astype(np.float32) * 2 - 1).T)
    return (hashes.shape[1] - same) / 2


def split(differing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split photos into those to train on and those to evaluate on, without near duplicates.

    Args:
        differing (np.ndarray): bits in which the photos differ, shape (N, N).

    Returns:
        tuple[np.ndarray, np.ndarray]: indices of the photos of either part, in order.
    """
    groups = connected_components(coo_matrix(differing < NEAR), directed=False)[1]
    # The first photo of each group.
    kept = np.sort(np.unique(groups, return_index=True)[1])
    # Names begin with what the photo shows: every fifth of them is a fair share of all.
    validation = np.arange(len(kept)) % VALIDATION_SHARE == 0
    train, val = kept[~validation], kept[validation]
    return train, val[differing[np.ix_(val, train)].min(axis=1, initial=np.inf) >= APART]


def read_boxes(path: Path, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Read a YOLO label file.

    Args:
        path (Path): label file with lines of class, center x, center y, width and height, the
            last four as shares of the photo.
        size (tuple[int, int]): width and height of the photo in pixels.

    Returns:
        list[dict]: COCO annotations without ids, boxes cut at the photo's edges.

    Raises:
        ValueError: A line is not what it should be.
    """
    annotations = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            name, *numbers = line.split()
            x, y, width, height = (float(value) for value in numbers)
            category = int(name)
            CLASSES[category]
        except (ValueError, IndexError) as error:
            raise ValueError(
                f'{path}, line {number}: {line!r} is no label of YOLO ({error}): {WHERE_FROM}'
            ) from error
        corners = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
        corners = (corners.clip(0, 1).reshape(2, 2) * size).round(3)
        box = [*corners[0].tolist(), *(corners[1] - corners[0]).round(3).tolist()]
        if min(box[2:]) > 1:
            annotations.append(
                dict(category_id=category + 1, bbox=box, area=round(box[2] * box[3], 3), iscrowd=0)
            )
    return annotations


def coco_content(root: Path, paths: list[Path]) -> dict[str, Any]:
    """Put photos and their labels together in COCO format.

    Args:
        root (Path): folder that file names start from.
        paths (list[Path]): photos.

    Returns:
        dict: content of a COCO file.
    """
    images, annotations = [], []
    for number, path in enumerate(paths, 1):
        with Image.open(path) as photo:
            size = photo.size
        name = path.relative_to(root).as_posix()
        images.append(dict(id=number, file_name=name, width=size[0], height=size[1]))
        for box in read_boxes(path.with_suffix('.txt'), size):
            annotations.append(dict(id=len(annotations) + 1, image_id=number, **box))
    categories = [dict(id=number, name=name) for number, name in enumerate(CLASSES, 1)]
    return dict(
        info=dict(description='Household photos without near duplicates'),
        licenses=[],
        images=images,
        annotations=annotations,
        categories=categories,
    )


def convert(clone: Path) -> dict[str, int]:
    """Write ``train.json`` and ``val.json`` beside the photos' folder.

    Args:
        clone (Path): folder of the clone, which file names start from.

    Returns:
        dict: numbers of photos read and of those of each file.

    Raises:
        FileNotFoundError: ``clone`` is not the folder of the clone.
        ValueError: A photo or label file cannot be read.
    """
    paths = sorted(
        (path for part in PARTS for path in (clone / part).glob('*.jpg')),
        key=lambda path: path.name,
    )
    if not paths:
        raise FileNotFoundError(f'{clone} has no photos in {"/, ".join(PARTS)}/: {WHERE_FROM}')
    paths = [path for path in paths if path.with_suffix('.txt').is_file()]
    hashes, mirrored = [], []
    for path in track_progress(paths, 'reading', len(paths)):
        gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if gray is None:
            raise ValueError(f'{path} is no readable image: {WHERE_FROM}')
        hashes.append(difference_hash(gray))
        mirrored.append(difference_hash(gray[:, ::-1]))
    parts = split(differing_bits(np.array(hashes), np.array(mirrored)))
    for name, part in zip(('train', 'val'), parts, strict=True):
        content = coco_content(clone, [paths[index] for index in part])
        replace_file(clone.parent / f'{name}.json', (json.dumps(content) + '\n').encode())
    return dict(photos=len(paths), train=len(parts[0]), val=len(parts[1]))


def main() -> int:
    """Convert; 1 on an error, 130 when interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('clone', type=Path, help='folder of the clone')
    args = parser.parse_args()
    try:
        numbers = convert(args.clone)
    except (ValueError, OSError) as error:
        print(f'household_to_coco: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nInterrupted; nothing was written.', file=sys.stderr)
        return 130
    print(
        f'\n{numbers["photos"]} photos, without near duplicates: {numbers["train"]} to train on, '
        f'{numbers["val"]} to evaluate on'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
