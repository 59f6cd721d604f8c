r"""Draws where each level of a detector's neck is active.

    python tools/analysis_tools/fpn_maps.py examples/bccd/images \
        CONFIG.py CHECKPOINT.pth

A row a photo, a column a level, fine to coarse: the mean of the map over its channels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.backbones import find_images
from mmpixcon.apis.inspection import load_for_inspection
from mmpixcon.visualization.feature_maps import attention_map, draw_grid, overlay


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('images', nargs='+', help='photos or folders of them')
    parser.add_argument('config', help='of a detector, stock or wrapped')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/fpn_maps.png'))
    parser.add_argument('--num', type=int, default=4, help='photos to draw')
    parser.add_argument('--device', default='cpu')
    return parser.parse_args()


@torch.no_grad()
def main() -> None:
    """Draw."""
    args = parse_args()
    paths = find_images(args.images, args.num)
    loaded = load_for_inspection(args.config, args.checkpoint, args.device)
    rows = []
    for path in paths:
        photo = loaded.read(path)
        height, width = photo.image.shape[:2]
        row = [photo.image]
        for level in loaded.detector.extract_feat(photo.inputs):
            heat = attention_map(level[0], tuple(photo.inputs.shape[2:]))
            row.append(overlay(photo.image, heat[:height, :width]))
        rows.append(row)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    titles = ['image', *(f'level {i}' for i in range(len(rows[0]) - 1))]
    draw_grid(rows, titles).savefig(args.out, dpi=120)
    print(args.out)


if __name__ == '__main__':
    main()
