"""Writes the box labels of BDD100K as a COCO annotation file.

Example::

    python tools/dataset_converters/bdd100k_to_coco.py \
        data/bdd100k/labels/bdd100k_labels_images_train.json \
        --out data/bdd100k/labels/bdd100k_det_train_coco.json
"""

from __future__ import annotations

import argparse
import re
import sys

from mmpixcon.datasets.bdd100k import convert


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', text)
    if not match:
        raise argparse.ArgumentTypeError(f'{text!r} is no WIDTHxHEIGHT such as 1280x720')
    return int(match[1]), int(match[2])


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        argv (list[str], optional): Arguments, the process's own by default.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(
        description='Write the box labels of BDD100K as a COCO file with ten classes, named as in '
        '2020; other person, other vehicle and trailer become regions to ignore.'
    )
    parser.add_argument(
        'labels',
        help='the list file of 2018 (bdd100k_labels_images_train.json) or 2020 (det_train.json), '
        'or a folder of one .json an image',
    )
    parser.add_argument('--out', required=True, help='COCO file to write')
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument(
        '--size', type=_size, metavar='WxH', help='size of all images (default: 1280x720)'
    )
    sizes.add_argument('--img-dir', help='folder of the images, to read each size from its file')
    parser.add_argument('--overwrite', action='store_true', help='replace --out if it is there')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the tool.

    Args:
        argv (list[str], optional): Arguments, the process's own by default.

    Returns:
        int: Exit status: 0, 1 on an error, 130 when interrupted.
    """
    args = parse_args(argv)
    try:
        summary = convert(
            args.labels,
            args.out,
            size=args.size,
            img_dir=args.img_dir,
            overwrite=args.overwrite,
        )
    except (ValueError, OSError) as error:
        print(f'bdd100k_to_coco: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f'\nInterrupted; {args.out} was not written.', file=sys.stderr)
        return 130
    print(summary.table())
    if summary.warning():
        print(f'bdd100k_to_coco: warning: {summary.warning()}', file=sys.stderr)
    return 0


if __name__ == '__main__':
    sys.exit(main())
