r"""Writes subsets of COCO annotations, for training with few labels.

    python tools/dataset_converters/coco_subset.py \
        data/coco/annotations/instances_train2017.json \
        --percent 1 2 5 10 --seeds 0 1 2 --out data/coco/annotations/subsets

The same subsets on every machine; those of a seed lie within each other.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmpixcon.datasets.preparation.subsets import write_subsets


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Write subsets of COCO annotations')
    parser.add_argument('annotations', type=Path, help='COCO file')
    parser.add_argument('--percent', type=float, nargs='+', default=[1, 2, 5, 10])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--out', type=Path, help='folder (default: subsets beside the file)')
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    out = args.out or args.annotations.parent / 'subsets'
    try:
        written = write_subsets(args.annotations, out, args.percent, args.seeds)
    except (OSError, ValueError) as error:
        sys.exit(f'coco_subset.py: {error}')
    for path, images, boxes in written:
        print(f'{path}: {images} images, {boxes} annotations')


if __name__ == '__main__':
    main()
