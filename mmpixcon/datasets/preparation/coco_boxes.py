"""The boxes of a COCO file, for tools that need nothing else of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePath

import numpy as np

from mmpixcon.datasets.checks.reading import read_json


def read_coco_boxes(path: str | Path) -> dict[str, np.ndarray]:
    """Boxes of the images of a COCO file, without crowds.

    Args:
        path (str | Path): COCO file.

    Returns:
        dict[str, np.ndarray]: (n, 4) float32 of each image by its ``file_name``, in the order
        of the file; x1, y1, x2, y2 in pixels; n may be 0.

    Raises:
        FileNotFoundError: It does not exist.
        ValueError: It is not a COCO file.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not {'images', 'annotations'} <= set(content):
        raise ValueError(f'{path} is not a COCO file: it needs images and annotations')
    boxes = defaultdict(list)
    for annotation in content['annotations']:
        if not annotation.get('iscrowd'):
            x, y, width, height = annotation['bbox']
            boxes[annotation['image_id']].append([x, y, x + width, y + height])
    return {
        image['file_name']: np.array(boxes[image['id']], np.float32).reshape(-1, 4)
        for image in content['images']
    }


def boxes_of_photo(boxes: Mapping[str, np.ndarray], photo: str | Path) -> np.ndarray | None:
    """Boxes of an image file.

    Args:
        boxes (Mapping[str, np.ndarray]): boxes by ``file_name``, see :func:`read_coco_boxes`.
        photo (str | Path): The longest ending of its path that is listed counts.

    Returns:
        np.ndarray | None: (n, 4); None if it is not listed.
    """
    parts = PurePath(photo).parts
    names = ('/'.join(parts[start:]) for start in range(len(parts)))
    return next((boxes[name] for name in names if name in boxes), None)
