"""Draw the two views of training samples and what corresponds in them.

    python tools/analysis_tools/browse_views.py CONFIG --data-root DIR

One picture a sample: the image with the footprints of both views; the
detection view with its boxes; the momentum view; lines between corresponding
cells, and the positives of their anchors. The maps and the threshold are those
that the config trains with.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress

import mmpixcon  # noqa: F401  (registers)
from mmpixcon.models.contrast import PixelPairs, ViewGrid
from mmpixcon.models.detectors.pixel_contrast import DETECTION, MOMENTUM
from mmpixcon.registry import DATASETS, MODELS
from mmpixcon.utils.data_files import check_data_files, set_data_root
from mmpixcon.visualization import draw_view_pair


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='config of a PixelContrastDetector')
    parser.add_argument('--data-root', help="folder of the data, in place of the config's")
    parser.add_argument('--out', default='work_dirs/views', help='folder for the pictures')
    parser.add_argument('--num', type=int, default=4, help='samples to draw')
    parser.add_argument('--start', type=int, default=0, help='index of the first one')
    parser.add_argument('--level', type=int, help="level of the maps, the config's first if none")
    parser.add_argument('--lines', type=int, default=6, help='anchors to join in each picture')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='settings to change')
    return parser.parse_args()


def map_shape(model: torch.nn.Module, size: tuple[int, int], level: int) -> tuple[int, int]:
    """The map (h, w) that the detector gives for an input (H, W) at a level."""
    with torch.no_grad():
        maps = model.detector.extract_feat(torch.zeros(1, 3, *size))
    return tuple(maps[level].shape[2:])


def to_rgb(image: torch.Tensor) -> np.ndarray:
    """A packed (3, H, W) BGR image as (H, W, 3) RGB."""
    return np.ascontiguousarray(image.numpy().transpose(1, 2, 0)[..., ::-1])


def main() -> None:
    """Draw."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if args.data_root:
        set_data_root(cfg, args.data_root)
    check_data_files(cfg, ('train',))
    if not cfg.model.type.endswith('PixelContrastDetector'):
        raise ValueError(f'{args.config}: model.type is {cfg.model.type}; two views are drawn '
                         'for a PixelContrastDetector')  # fmt: skip
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = MODELS.build(cfg.model).eval()
    level = model.levels[0] if args.level is None else args.level
    S = dict(zip(model.levels, model.S)).get(level, model.S[0])
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    np.random.seed(args.seed)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    stop = min(args.start + args.num, len(dataset))
    for index in track_iter_progress(range(args.start, stop)):
        sample = dataset[index]
        grids = {}
        for branch in (DETECTION, MOMENTUM):
            size = tuple(sample['inputs'][branch].shape[1:])
            packed = sample['data_samples'][branch]
            shape = map_shape(model, size, level)
            grids[branch] = ViewGrid(packed.homography_matrix, shape, size, packed.img_shape[:2])
        packed = sample['data_samples'][DETECTION]
        figure = draw_view_pair(
            mmcv.imread(packed.img_path, channel_order='rgb'),
            to_rgb(sample['inputs'][DETECTION]),
            to_rgb(sample['inputs'][MOMENTUM]),
            packed.gt_instances.bboxes.numpy(),
            PixelPairs(grids[DETECTION], grids[MOMENTUM], S),
            num_lines=args.lines,
            title=Path(packed.img_path).name,
        )
        written.append(out / f'{Path(packed.img_path).stem}.png')
        figure.savefig(written[-1], dpi=80)
    print('\n' + '\n'.join(str(path) for path in written))


if __name__ == '__main__':
    main()
