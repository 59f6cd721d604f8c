r"""Measures how many annotated objects the proposals of a data set find.

    python tools/analysis_tools/proposal_recall.py examples/bccd/proposals/edge_boxes \
        examples/bccd/train.json

Average recall over the overlaps 0.5 to 0.95 and recall at 0.5, with the best 10, 30 and 100
proposals of each image; crowds do not count.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

import mmpixcon  # noqa: F401  (makes the pinned set importable)
from mmpixcon.datasets.preparation.coco_boxes import read_coco_boxes
from mmpixcon.datasets.proposals.store import Proposals
from mmpixcon.evaluation.proposal_recall import proposal_recall
from mmpixcon.utils.progress import track_progress


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('proposals', help='folder that make_proposals.py wrote')
    parser.add_argument('annotations', type=Path, help='COCO file of the same images')
    parser.add_argument('--nums', type=int, nargs='+', default=[10, 30, 100])
    parser.add_argument('--images', type=int, help='look at the first of them only')
    return parser.parse_args()


class Pairs:
    """Objects and proposals of the images, one after another.

    Args:
        proposals (Proposals): proposals of the images.
        annotations (Path): COCO file.
        images (int, optional): Only so many.

    Raises:
        ValueError: The file is no COCO annotations, or no image has proposals.
    """

    def __init__(self, proposals: Proposals, annotations: Path, images: int | None) -> None:
        self.boxes = dict(islice(read_coco_boxes(annotations).items(), images))
        self.proposals = proposals
        self.without: list[str] = []

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for name, boxes in track_progress(self.boxes.items(), 'matching', len(self.boxes)):
            proposals = self.proposals.find(name)
            if proposals is None:
                self.without.append(name)
                proposals = np.zeros((0, 4), np.float32)
            yield boxes, proposals


def main() -> None:
    """Measure and print."""
    args = parse_args()
    try:
        if args.images is not None and args.images < 1:
            raise ValueError(f'--images {args.images} must be at least 1')
        pairs = Pairs(Proposals(args.proposals), args.annotations, args.images)
        recall = proposal_recall(pairs, args.nums)
        if len(pairs.without) == recall.images:
            raise ValueError(
                f'{args.proposals} has no proposals of {pairs.without[0]} nor any other image of '
                f'{args.annotations}: they are of other images'
            )
    except (OSError, ValueError) as error:
        sys.exit(f'proposal_recall: {error}')
    if pairs.without:
        print(
            f'proposal_recall: warning: {len(pairs.without)} images have no proposals, such as '
            f'{pairs.without[0]}; their objects count as not found',
            file=sys.stderr,
        )
    print(recall.table())


if __name__ == '__main__':
    main()
