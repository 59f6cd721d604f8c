"""Writes the built-in scenes as a COCO data set; needs no download.

Example::

    python tools/dataset_converters/make_scenes.py --out data/scenes --train 400 --val 100
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import Any

from mmpixcon.datasets.scenes.render import PRESETS, preset
from mmpixcon.datasets.scenes.write import write_scenes


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    if not match:
        raise argparse.ArgumentTypeError(f'{text!r} is not WIDTHxHEIGHT, such as 160x128')
    return int(match[1]), int(match[2])


def _cores() -> int:
    # Where the process is bound to some cores, the others do not count.
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        argv (list[str], optional): Arguments, the process's own by default.

    Returns:
        argparse.Namespace: The arguments; those that change the preset are
            None unless given.
    """
    parser = argparse.ArgumentParser(
        description='Write the built-in scenes as a COCO data set. Interrupted, it goes on when '
        'run again; a finished set is left as it is.'
    )
    parser.add_argument('--out', default='data/scenes', help='folder (default: %(default)s)')
    parser.add_argument('--train', type=int, default=400, help='images (default: %(default)s)')
    parser.add_argument('--val', type=int, default=100, help='images (default: %(default)s)')
    parser.add_argument(
        '--preset', choices=PRESETS, default='default', help='difficulty (default: %(default)s)'
    )
    parser.add_argument('--size', type=_size, metavar='WxH', help='image size (default: 160x128)')
    parser.add_argument('--seed', type=int, help='other seeds give other scenes (default: 0)')
    parser.add_argument(
        '--objects',
        type=int,
        nargs=2,
        metavar=('MIN', 'MAX'),
        help="objects in a scene (default: the preset's)",
    )
    parser.add_argument(
        '--workers', type=int, default=_cores(), help='processes (default: the cores, %(default)s)'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace other scenes that --out holds'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the tool.

    Args:
        argv (list[str], optional): Arguments, the process's own by default.

    Returns:
        int: Exit status: 0, 1 on an error, 130 when interrupted.
    """
    args = parse_args(argv)
    changes: dict[str, Any] = {
        field: value
        for field in ('size', 'seed', 'objects')
        if (value := getattr(args, field)) is not None
    }
    try:
        scenes = write_scenes(
            args.out,
            preset(args.preset, **changes),
            num_train=args.train,
            num_val=args.val,
            workers=args.workers,
            overwrite=args.overwrite,
        )
    except (ValueError, OSError) as error:
        print(f'make_scenes: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f'\nInterrupted. Run the same command again to finish {args.out}.', file=sys.stderr)
        return 130
    print(scenes.table())
    return 0


if __name__ == '__main__':
    sys.exit(main())
