"""Processor time of the check of a COCO file that is made up, of the size of COCO's train2017.

    python tools/benchmarks/check_annotations.py
    python tools/benchmarks/check_annotations.py --images 30000

Reading the JSON and the pass over it are measured apart, and the most memory of the process.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

from mmpixcon.datasets.checks.annotations import clean_annotations
from mmpixcon.datasets.checks.reading import read_coco

# COCO's train2017: objects of an image, and numbers in the polygons of one.
OBJECTS, POLYGON = 7.27, 22
CLASSES = 80


def made_up(images: int) -> dict:
    """Make labels up.

    Args:
        images (int): number of images.

    Returns:
        dict: COCO content without problems.
    """
    draw = random.Random(0)
    return dict(
        images=[
            dict(id=i, file_name=f'{i:012d}.jpg', width=640, height=480, coco_url='x' * 60)
            for i in range(images)
        ],
        annotations=[
            dict(
                id=i,
                image_id=draw.randrange(images),
                category_id=draw.randint(1, CLASSES),
                bbox=[round(draw.random() * 500, 2), round(draw.random() * 400, 2), 50.5, 40.5],
                area=2045.25,
                iscrowd=0,
                segmentation=[[round(draw.random() * 480, 2) for _ in range(POLYGON)]],
            )
            for i in range(int(images * OBJECTS))
        ],
        categories=[dict(id=i, name=f'class {i}') for i in range(1, CLASSES + 1)],
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--images', type=int, default=118287)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'train.json')
        path.write_text(json.dumps(made_up(args.images)))
        size = path.stat().st_size / 1e6
        start = time.process_time()
        content = read_coco(path)
        read = time.process_time()
        _, report = clean_annotations(content, str(path))
        checked = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f'{len(content["images"])} images, {report.numbers["objects"]} objects, {size:.0f} MB: '
        f'{read - start:.1f} s to read, {checked - read:.1f} s to check, {memory:.1f} GB at most'
    )


if __name__ == '__main__':
    main()
