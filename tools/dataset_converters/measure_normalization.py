r"""Mean and standard deviation of a data set's pixels, as a config line.

    python tools/dataset_converters/measure_normalization.py examples/bccd/images
    python tools/dataset_converters/measure_normalization.py examples/bccd/images \
        --ann-file examples/bccd/train.json

The images are all in a folder and below it, or those that COCO annotations or a list of paths name.
All pixels count alike. Unreadable images are named and left out.
"""

from __future__ import annotations

import argparse
import os
import sys

import mmpixcon  # noqa: F401  (makes the pinned set importable)
from mmpixcon.datasets.preparation.normalization import measure
from mmpixcon.datasets.unlabelled import UnlabelledDataset


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folder', help='of the images')
    parser.add_argument('--ann-file', default='', help='COCO annotations or a list of paths')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    args = parse_args()
    try:
        dataset = UnlabelledDataset(
            # Relative to where the command is given, not to the images.
            ann_file=os.path.abspath(args.ann_file) if args.ann_file else '',
            data_prefix=dict(img_path=args.folder),
        )
        paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
        statistics = measure(paths, args.workers)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    for path in statistics.unreadable:
        print(f'cannot be read, left out: {path}', file=sys.stderr)
    unreadable = len(statistics.unreadable)
    print(f'# {statistics.images} images, {statistics.pixels} pixels, {unreadable} unreadable')
    for name, values in (('mean', statistics.mean), ('std', statistics.std)):
        print(f'# {name} of 0 to 1: {", ".join(f"{v / 255:.4f}" for v in values)}')
    print(statistics.config_line())


if __name__ == '__main__':
    main()
