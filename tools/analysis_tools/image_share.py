r"""Measures how far the queries of detection transformers depend on the image.

    python tools/analysis_tools/image_share.py examples/bccd/images \
        --annotations examples/bccd/val.json \
        --model none=CONFIG.py --model DETReg=CONFIG.py,A.pth

The image share is that part of the variance of the queries' states that lies between photos.
Near 0, every photo gets the same. Measured before fine-tuning, it tells what a pretraining left to
begin with. Mean width and height of the boxes of all queries stand beside it, in shares of the
photo. CONFIG is that of the stock detector; without a checkpoint, the detector is measured as a
training of CONFIG would begin.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import torch

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.backbones import find_images
from mmpixcon.apis.inspection import InspectedDetector, load_for_inspection
from mmpixcon.apis.options import OptionsAction
from mmpixcon.datasets.preparation.coco_boxes import boxes_of_photo, read_coco_boxes
from mmpixcon.evaluation.image_share import image_share, queries_of
from mmpixcon.utils.progress import track_progress
from mmpixcon.utils.tables import markdown_row, markdown_table
from model_argument import add_model_argument


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('images', nargs='+', help='photos or folders of them')
    add_model_argument(parser, needs_checkpoint=False)
    parser.add_argument('--annotations', type=Path, help='COCO file, for the photos it lists only')
    parser.add_argument('--num', type=int, default=500, help='photos to measure on, the first ones')
    parser.add_argument('--seed', type=int, default=0, help='of weights that are random')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionsAction,
        metavar='KEY=VALUE',
        help='settings of all configs, such as '
        'test_dataloader.dataset.pipeline.Resize.scale=(160,120)',
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def find_photos(args: argparse.Namespace) -> list[Path]:
    """Photos to measure on."""
    paths = find_images(args.images)
    if args.annotations:
        listed = read_coco_boxes(args.annotations)
        paths = [path for path in paths if boxes_of_photo(listed, path) is not None]
    paths = paths[: args.num]
    if len(paths) < 2:
        listing = f' that {args.annotations} lists' if args.annotations else ''
        sys.exit(f'image_share: photos{listing}: {len(paths)}; give at least two')
    return paths


def measure(loaded: InspectedDetector, name: str, paths: list[Path]) -> tuple[float, float, float]:
    """Image share, and mean width and height of boxes."""
    states, sizes = [], []
    for path in track_progress(paths, name, len(paths), unit='photos'):
        photo = loaded.read(path)
        photo_states, boxes = queries_of(loaded.detector, photo.inputs, photo.samples)
        states.append(photo_states)
        sizes.append(boxes[..., 2:].mean((0, 1)))
    width, height = torch.stack(sizes).mean(0).tolist()
    return image_share(torch.cat(states)).item(), width, height


def main() -> None:
    """Measure and print."""
    args = parse_args()
    paths = find_photos(args)
    # mmengine lists each parameter that is initialized.
    logging.disable(logging.INFO)
    models = {}
    for name, config, checkpoint in args.model:
        torch.manual_seed(args.seed)
        models[name] = load_for_inspection(config, checkpoint, args.device, args.cfg_options)
    print(markdown_table(['model', 'image share', 'box width', 'box height'], []))
    for name, loaded in models.items():
        row = [name, *(f'{value:.3f}' for value in measure(loaded, name, paths))]
        # Each as it is measured, since the next takes a while.
        print(markdown_row(row), flush=True)


if __name__ == '__main__':
    main()
