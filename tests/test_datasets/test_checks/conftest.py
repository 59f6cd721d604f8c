"""A small set of photos and labels without problems, to damage."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

CLASSES = ('cat', 'dog')


def labels(number: int = 6) -> dict:
    """COCO content: images of 80 x 60 with two objects each, ids of images from 10."""
    content: dict = dict(images=[], annotations=[], categories=[])
    content['categories'] = [dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)]
    for index in range(number):
        key = 10 + index
        content['images'].append(dict(id=key, file_name=f'{key}.png', width=80, height=60))
        for category, box in ((1, [5, 6, 20, 10]), (2, [40, 30, 30, 20])):
            content['annotations'].append(
                dict(
                    id=len(content['annotations']) + 1,
                    image_id=key,
                    category_id=category,
                    bbox=list(box),
                    area=box[2] * box[3],
                    iscrowd=0,
                    segmentation=[[5, 6, 25, 6, 25, 16]],
                )
            )
    return content


@pytest.fixture
def content() -> dict:
    """Labels of six images."""
    return copy.deepcopy(labels())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set on disk: images/, train.json with six images and val.json with two others."""
    (tmp_path / 'images').mkdir()
    everything = labels(8)
    for index, image in enumerate(everything['images']):
        pixels = np.random.default_rng(index).integers(0, 255, (60, 80, 3), np.uint8)
        cv2.imwrite(str(tmp_path / 'images' / image['file_name']), pixels)
    for name, part in (('train', slice(0, 6)), ('val', slice(6, 8))):
        images = everything['images'][part]
        ids = {image['id'] for image in images}
        objects = [entry for entry in everything['annotations'] if entry['image_id'] in ids]
        split = dict(everything, images=images, annotations=objects)
        (tmp_path / f'{name}.json').write_text(json.dumps(split))
    return tmp_path
