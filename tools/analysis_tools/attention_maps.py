r"""Draws where backbones look: several checkpoints side by side.

    python tools/analysis_tools/attention_maps.py examples/bccd/images \
        --model stock=CONFIG.py,CHECKPOINT.pth --model DetCo=OTHER.py,OTHER.pth

The mean of the last map over its channels, on images of 448 x 448 (DetCo's
figure I).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.backbones import find_images, load_backbone, read_square
from mmpixcon.visualization.feature_maps import attention_map, draw_grid, overlay
from model_argument import add_model_argument


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw where backbones look')
    parser.add_argument('images', nargs='+', help='photos or folders of them')
    add_model_argument(parser)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/attention_maps.png'))
    parser.add_argument('--num', type=int, default=6, help='images to draw')
    parser.add_argument('--size', type=int, default=448, help='pixels a side')
    parser.add_argument('--level', type=int, default=-1, help="of the backbone's maps")
    return parser.parse_args()


def main() -> None:
    """Draw."""
    args = parse_args()
    paths = find_images(args.images, args.num)
    backbones = {name: load_backbone(config, path) for name, config, path in args.model}
    rows = []
    for path in paths:
        image = read_square(path, args.size)
        features = [b.maps(image[None])[args.level][0] for b in backbones.values()]
        size = (args.size, args.size)
        rows.append([image, *(overlay(image, attention_map(f, size)) for f in features)])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_grid(rows, ['image', *backbones]).savefig(args.out, dpi=120)
    print(args.out)


if __name__ == '__main__':
    main()
