r"""Find object proposals of a data set: Edge Boxes, Selective Search or random boxes.

    python tools/dataset_converters/make_proposals.py data/coco/train2017 \
        --out data/coco/proposals/edge_boxes_train2017 --model data/model.yml.gz
    python tools/dataset_converters/make_proposals.py examples/bccd/images \
        --ann-file examples/bccd/train.json --method selective_search \
        --out examples/bccd/proposals/selective_search

On several machines, each with its ``--shard 1/4`` to ``4/4`` and the same ``--out`` (or with
the folders OUT.parts copied into one), then once with ``--merge``. Killed, it goes on when run
again. Images that cannot be read are named in OUT/settings.json and have no proposals. Edge
Boxes without ``--model`` (OpenCV's structured forest, model.yml.gz) takes gradients for edges.
"""

from __future__ import annotations

import argparse
import os
import re
import sys

import mmpixcon  # noqa: F401  (makes the pinned set importable)
from mmpixcon.datasets.proposals.finders import MAX_BOXES, ProposalSettings
from mmpixcon.datasets.proposals.search import find_proposals
from mmpixcon.datasets.unlabelled import UnlabelledDataset

# Methods that an option belongs to.
METHODS_OF = {
    'model': ('edge_boxes',),
    'min_area': ('edge_boxes',),
    'side': ('selective_search',),
    'seed': ('selective_search', 'random'),
}


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d+)/(\d+)', text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f'{text!r} is no i/n such as 2/4, with i from 1 to n')
    return int(match[1]), int(match[2])


def _cores() -> int:
    # Where the process is bound to some cores, the others do not count.
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folder', help='of the images')
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument(
        '--ann-file', default='', help='COCO annotations or a list of paths (default: all images)'
    )
    parser.add_argument('--method', choices=MAX_BOXES, default='edge_boxes')
    parser.add_argument(
        '--max-boxes',
        type=int,
        help='of an image (default: '
        + ', '.join(f'{count} of {name}' for name, count in MAX_BOXES.items())
        + ')',
    )
    parser.add_argument('--model', help='structured forest of Edge Boxes (default: gradients)')
    parser.add_argument(
        '--min-area', type=float, help='of Edge Boxes, least square pixels (default: 1000)'
    )
    parser.add_argument(
        '--side',
        type=int,
        help='of Selective Search, side of the square that images are resized to, 0 for as they '
        'are (default: 128)',
    )
    parser.add_argument('--seed', type=int, help='of Selective Search and random boxes')
    parser.add_argument(
        '--workers', type=int, default=_cores(), help='processes (default: the cores, %(default)s)'
    )
    selection = parser.add_mutually_exclusive_group()
    selection.add_argument(
        '--shard', type=_shard, metavar='i/n', help='do the i-th of n shares only'
    )
    selection.add_argument('--merge', action='store_true', help='pack what the shards have done')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace other proposals that --out holds'
    )
    args = parser.parse_args()
    for path in (args.folder, args.ann_file):
        if path and not os.path.exists(path):
            parser.error(f'{path} does not exist')
    for name, methods in METHODS_OF.items():
        if getattr(args, name) is not None and args.method not in methods:
            option = f'--{name.replace("_", "-")}'
            parser.error(f'{option} is of {" and ".join(methods)}, not of {args.method}')
    return args


def main() -> int:
    """Find the proposals; returns 0, 1 on an error, 130 when interrupted."""
    args = parse_args()
    options = {name: value for name in METHODS_OF if (value := getattr(args, name)) is not None}
    try:
        settings = ProposalSettings(args.method, args.max_boxes, **options)
        dataset = UnlabelledDataset(
            # Relative to where the command is given, not to the images.
            ann_file=os.path.abspath(args.ann_file) if args.ann_file else '',
            data_prefix=dict(img_path=args.folder),
        )
        counts = find_proposals(
            args.out,
            settings,
            dataset,
            workers=args.workers,
            shard=args.shard,
            merge=args.merge,
            overwrite=args.overwrite,
            stream=sys.stderr,
        )
    except (ValueError, OSError, ModuleNotFoundError, RuntimeError) as error:
        print(f'make_proposals: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f'\nInterrupted. Run the same command again to finish {args.out}.', file=sys.stderr)
        return 130
    for name, reason in counts.unreadable.items():
        print(f'make_proposals: no boxes of {name}: {reason}', file=sys.stderr)
    print(
        f'images: {counts.images}, {counts.kept} of them done before, '
        f'{len(counts.unreadable)} unreadable\nboxes: {counts.boxes}'
    )
    if args.shard:
        print(
            f'{counts.missing} images are left to other shards; --merge packs them when all are '
            f'done\nin {args.out}.parts'
        )
    else:
        print(f'in {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
