r"""Measures whether checkpoints tell objects apart point by point.

    python tools/analysis_tools/affinity_precision.py CONFIG.py A.pth B.pth \
        --annotations data/coco/annotations/instances_val2017.json \
        --images data/coco/val2017

Points of the same object should be more alike, in the backbone's last map, than
points of other objects and of the background of the same image. Mean average
precision over points, beside the share of points to be found, which is what
chance scores. The same points for every checkpoint.
"""

from __future__ import annotations

import argparse
import copy
import sys
from pathlib import Path

import torch
from mmengine.runner import Runner

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.backbones import LoadedBackbone, load_backbone
from mmpixcon.apis.options import OptionsAction
from mmpixcon.datasets.checks.reading import read_json
from mmpixcon.evaluation import annotated_maps, image_affinity_precision
from mmpixcon.utils.progress import track_progress
from mmpixcon.utils.tables import markdown_row, markdown_table


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='of what the checkpoints were trained with')
    parser.add_argument('checkpoints', nargs='+')
    parser.add_argument('--annotations', type=Path, required=True, help='COCO file')
    parser.add_argument('--images', type=Path, required=True, help='folder')
    parser.add_argument('--boxes', action='store_true', help='boxes even where there are masks')
    parser.add_argument('--num', type=int, default=500, help='images, the first ones')
    parser.add_argument('--size', type=int, help='pixels a side to resize to; as they are if none')
    parser.add_argument('--points', type=int, default=16, help='of an object')
    parser.add_argument('--resolution', type=int, default=56, help='cells a side to draw from')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionsAction,
        help='settings of the config, such as model.backbone.strides=1,2,2,1',
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args()
    for path in (args.annotations, args.images):
        if not path.exists():
            parser.error(f'{path} does not exist')
    return args


def loader_config(args: argparse.Namespace) -> dict:
    """Measure the annotated images, in the order of the file."""
    content = read_json(args.annotations)
    has_masks = any(annotation.get('segmentation') for annotation in content['annotations'])
    resize = [dict(type='mmdet.Resize', scale=(args.size, args.size))] if args.size else []
    return dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='mmdet.CocoDataset',
            ann_file=str(args.annotations),
            data_prefix=dict(img=str(args.images)),
            metainfo=dict(classes=tuple(category['name'] for category in content['categories'])),
            test_mode=True,
            indices=min(args.num, len(content['images'])),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(
                    type='mmdet.LoadAnnotations',
                    with_bbox=True,
                    with_mask=has_masks and not args.boxes,
                ),
                *resize,
                dict(type='mmdet.PackDetInputs'),
            ],
        ),
    )


def measure(
    loaded: LoadedBackbone, loader: object, name: str, args: argparse.Namespace
) -> tuple[float, float, int]:
    """Precision, chance, and number of points."""
    batches = annotated_maps(
        loaded.backbone.to(args.device),
        loader,
        loaded.mean.flatten().tolist(),
        loaded.std.flatten().tolist(),
        loaded.bgr_to_rgb,
        args.device,
    )
    settings = dict(num_points=args.points, resolution=args.resolution)
    images = [
        image_affinity_precision(maps[0], input_shape, samples[0], **settings)
        for maps, input_shape, samples in track_progress(batches, name, len(loader))
    ]
    precision, chance = (torch.cat(values) for values in zip(*images))
    if not len(precision):
        sys.exit(f'affinity_precision.py: {args.annotations} has no object of two points or more')
    return precision.mean().item(), chance.mean().item(), len(precision)


def main() -> None:
    """Measure and print."""
    args = parse_args()
    config = loader_config(args)
    print(markdown_table(['checkpoint', 'precision', 'chance', 'points'], []))
    for checkpoint in args.checkpoints:
        loaded = load_backbone(args.config, checkpoint, args.cfg_options)
        loader = Runner.build_dataloader(copy.deepcopy(config))
        precision, chance, points = measure(loaded, loader, Path(checkpoint).stem, args)
        row = [checkpoint, f'{precision:.4f}', f'{chance:.4f}', points]
        # Each as it is measured, since the next takes a while.
        print(markdown_row(row), flush=True)


if __name__ == '__main__':
    main()
