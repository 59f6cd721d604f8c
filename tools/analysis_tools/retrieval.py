r"""Draws the nearest neighbors of photos in a backbone's features.

    python tools/analysis_tools/retrieval.py examples/bccd/images \
        --config CONFIG.py --checkpoint CHECKPOINT.pth

Average-pooled last map, unit length, cosine similarity (DetCo's figure II). The
photo to find others for stands on the left.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.backbones import find_images, load_backbone, read_square
from mmpixcon.utils.progress import track_progress
from mmpixcon.visualization.feature_maps import draw_grid


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw nearest neighbors of photos')
    parser.add_argument('images', nargs='+', help='photos or folders of them')
    parser.add_argument('--config', required=True)
    parser.add_argument('--checkpoint', required=True)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/retrieval.png'))
    parser.add_argument('--queries', type=int, default=5, help='photos on the left')
    parser.add_argument('--neighbors', type=int, default=9)
    parser.add_argument('--size', type=int, default=224, help='pixels a side')
    parser.add_argument('--seed', type=int, default=0, help='draws the queries')
    return parser.parse_args()


def main() -> None:
    """Draw."""
    args = parse_args()
    paths = find_images(args.images)
    if len(paths) <= args.neighbors:
        sys.exit(
            f'retrieval.py: {len(paths)} images are too few for {args.neighbors} neighbors; '
            'give more, or --neighbors'
        )
    backbone = load_backbone(args.config, args.checkpoint)
    rows = []
    for path in track_progress(paths, 'features', len(paths)):
        pooled = backbone.maps(read_square(path, args.size)[None])[-1].mean((2, 3))
        rows.append(F.normalize(pooled, dim=1))
    features = torch.cat(rows)
    queries = random.Random(args.seed).sample(range(len(paths)), min(args.queries, len(paths)))
    similarity = features[queries] @ features.T
    # Not itself.
    similarity[np.arange(len(queries)), queries] = -2
    nearest = similarity.topk(args.neighbors, dim=1)[1].tolist()
    grid = [
        [read_square(paths[i], args.size) for i in (query, *neighbors)]
        for query, neighbors in zip(queries, nearest)
    ]
    titles = ['query', *(str(i + 1) for i in range(args.neighbors))]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_grid(grid, titles).savefig(args.out, dpi=120)
    print(args.out)


if __name__ == '__main__':
    main()
