r"""Draws how alike all places of a photo are to one point: several checkpoints side by side.

    python tools/analysis_tools/affinity_map.py \
        examples/bccd/images/BloodImage_00000.jpg --point 0.5 0.5 --point 0.2 0.7 \
        --model PLRC=CONFIG.py,CHECKPOINT.pth --model 'MoCo v2=OTHER.py,OTHER.pth'

A row a point, of PLRC's figure 3: photos of 896 x 896, the last map interpolated to 56
x 56, cosine similarities, brighter where more alike; each map over its own range,
which is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.backbones import find_images, load_backbone, read_square
from mmpixcon.visualization.feature_maps import (
    affinity_map,
    color_affinity,
    draw_grid,
    mark_point,
)
from model_argument import add_model_argument


def share(text: str) -> float:
    """Read a number of 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'{text} is no share of width or height, 0 to 1')
    return value


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw affinities of points')
    parser.add_argument('images', nargs='+', help='photos or folders of them')
    add_model_argument(parser)
    parser.add_argument(
        '--point',
        action='append',
        nargs=2,
        type=share,
        metavar=('X', 'Y'),
        help='shares of width and height; may be repeated (default: the center)',
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/affinity_map.png'))
    parser.add_argument('--num', type=int, default=4, help='images to draw')
    parser.add_argument('--size', type=int, default=896, help='pixels a side')
    parser.add_argument('--cells', type=int, default=56, help='of the map, a side')
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
        features = {n: b.maps(image[None])[args.level][0] for n, b in backbones.items()}
        for point in map(tuple, args.point or [(0.5, 0.5)]):
            row = [mark_point(image, point)]
            for name, feature in features.items():
                affinity = affinity_map(feature, point, args.cells)
                low, high = affinity.min(), affinity.max()
                print(f'{path.name} {point[0]:g} {point[1]:g} {name}: {low:.3f} to {high:.3f}')
                row.append(color_affinity(affinity, image.shape[:2]))
            rows.append(row)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_grid(rows, ['image', *backbones]).savefig(args.out, dpi=120)
    print(args.out)


if __name__ == '__main__':
    main()
