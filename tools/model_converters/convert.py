r"""Converts checkpoints between the layouts of mmdet, other libraries and releases of methods.

    python tools/model_converters/convert.py work_dirs/MOCO/epoch_200.pth \
        --to torchvision --out backbone.safetensors
    python tools/model_converters/convert.py deformable_detr.pth --to mmdet --out converted.pth \
        --config configs/finetune/deformable-detr_r50_8xb4-50e_voc0712.py

The layout that a checkpoint is in is told by its names. What was converted, what was left out and
why is printed, and written to OUT.json. Also: mim run mmpixcon convert ...
"""

from __future__ import annotations

import argparse
import sys

import mmpixcon  # noqa: F401  (makes the pinned set importable)
from mmpixcon.conversion import SOURCES, TARGETS, convert
from mmpixcon.conversion.backbones import BACKBONES


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    layouts = ['layouts of --to:', *(f'  {k}: {t.reader}' for k, t in TARGETS.items())]
    layouts += ['layouts of --source:', *(f'  {k}: {s.writer}' for k, s in SOURCES.items())]
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n')[0],
        epilog='\n'.join(layouts),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('checkpoint', help='file to convert')
    parser.add_argument(
        '--to', dest='target', required=True, choices=TARGETS, help='layout to write'
    )
    parser.add_argument(
        '--out', required=True, help='file to write: .pth or .safetensors (detectron2 also .pkl)'
    )
    parser.add_argument('--source', choices=SOURCES, help='its layout (default: by its names)')
    parser.add_argument(
        '--backbone', choices=BACKBONES, help='refuse a checkpoint of another backbone'
    )
    parser.add_argument(
        '--momentum', action='store_true', help="take the momentum encoder's backbone"
    )
    parser.add_argument(
        '--coco-classes',
        action='store_true',
        help='of class layers with 91 ids, as releases have them, keep the 80 that COCO has',
    )
    parser.add_argument(
        '--config', help='of a model that will start from it: say what it takes (--to mmdet)'
    )
    parser.add_argument(
        '--trust',
        action='store_true',
        help='read a file that may run code; by default torch.load(weights_only=True) refuses it',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace --out')
    return parser.parse_args()


def main() -> int:
    """Convert; returns 0, or 1 on an error."""
    try:
        done = convert(**vars(parse_args()))
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f'convert: {error}', file=sys.stderr)
        return 1
    print(done.table())
    print(f'report: {done.out}.json')
    return 0


if __name__ == '__main__':
    sys.exit(main())
