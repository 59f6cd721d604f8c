"""Draw the two views of training samples and what corresponds in them.

    python tools/analysis_tools/browse_views.py CONFIG --data-root DIR

One picture a sample: the image with the footprints of both views, and the views.
Between a detection view with its boxes and a momentum view, as PixCon has them, lines join
corresponding cells, and the positives of their anchors are filled in; maps and threshold
are those that the config trains with. In two views with regions, as Siamese DETR
and PLRC have them, a region has the same color and number in each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import mmcv
import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmpixcon  # noqa: F401  (registers)
from mmpixcon.apis.config import merge_options
from mmpixcon.apis.options import OptionsAction
from mmpixcon.datasets.data_files import check_data_files, set_data_root
from mmpixcon.models.detectors.pixel_contrast import DETECTION, MOMENTUM
from mmpixcon.models.geometry import PixelPairs, ViewGrid
from mmpixcon.registry import DATASETS, MODELS
from mmpixcon.utils.progress import track_progress
from mmpixcon.visualization import draw_shared_regions, draw_view_pair, region_corners


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='config whose training pipeline makes two views')
    parser.add_argument('--data-root', help="folder of the data, in place of the config's")
    parser.add_argument('--out', default='work_dirs/views', help='folder for the pictures')
    parser.add_argument('--num', type=int, default=4, help='samples to draw')
    parser.add_argument('--start', type=int, default=0, help='index of the first one')
    parser.add_argument(
        '--level', type=int, help="PixCon: level of the maps, the config's first if none"
    )
    parser.add_argument(
        '--lines', type=int, default=6, help='PixCon: anchors to join in each picture'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, help='settings to change')
    return parser.parse_args()


def map_shape(model: torch.nn.Module, size: tuple[int, int], level: int) -> tuple[int, int]:
    """The map (h, w) that the detector gives for an input (H, W) at a level."""
    with torch.no_grad():
        maps = model.detector.extract_feat(torch.zeros(1, 3, *size))
    return tuple(maps[level].shape[2:])


def to_rgb(image: torch.Tensor, is_rgb: bool = False) -> np.ndarray:
    """A packed (3, H, W) image as (H, W, 3) RGB."""
    img = image.numpy().transpose(1, 2, 0)
    return np.ascontiguousarray(img if is_rgb else img[..., ::-1])


def pixel_pair_drawer(cfg: Config, args: argparse.Namespace) -> Callable[[dict], Figure]:
    """Make what draws samples with a detection and a momentum view, with the config's maps."""
    if not cfg.model.type.endswith('PixelContrastDetector'):
        raise ValueError(f'{args.config}: model.type is {cfg.model.type}; a detection and a '
                         'momentum view are drawn for a PixelContrastDetector')  # fmt: skip
    model = MODELS.build(cfg.model).eval()
    level = model.levels[0] if args.level is None else args.level
    S = dict(zip(model.levels, model.S)).get(level, model.S[0])

    def draw(sample: dict) -> Figure:
        grids = {}
        for branch in (DETECTION, MOMENTUM):
            size = tuple(sample['inputs'][branch].shape[1:])
            packed = sample['data_samples'][branch]
            shape = map_shape(model, size, level)
            matrix = model.homography_of(packed, branch)
            grids[branch] = ViewGrid(matrix, shape, size, packed.img_shape[:2])
        packed = sample['data_samples'][DETECTION]
        raw = mmcv.imread(packed.img_path, channel_order='rgb')
        if model.normalized_distance:
            # As the plane of the distances is.
            side = round((raw.shape[0] * raw.shape[1]) ** 0.5)
            raw = mmcv.imresize(raw, (side, side))
        return draw_view_pair(
            raw,
            to_rgb(sample['inputs'][DETECTION]),
            to_rgb(sample['inputs'][MOMENTUM]),
            packed.gt_instances.bboxes.numpy(),
            PixelPairs(grids[DETECTION], grids[MOMENTUM], S),
            num_lines=args.lines,
            title=Path(packed.img_path).name,
        )

    return draw


def region_pair(sample: dict) -> tuple[list[torch.Tensor], list[np.ndarray], np.ndarray] | None:
    """Two views (3, h, w), their homographies and the regions of the raw image, if it has them."""
    inputs, packed = sample['inputs'], sample['data_samples']
    if isinstance(inputs, dict) and len(inputs) == 2:
        # Regions are each view's ground truth, in its own pixels.
        if not all('homography_matrix' in view for view in packed.values()):
            return None
        matrices = [view.homography_matrix for view in packed.values()]
        boxes = next(iter(packed.values())).gt_instances.bboxes.numpy()
        corners = region_corners(boxes, np.linalg.inv(matrices[0]))
        return [*inputs.values()], matrices, np.hstack([corners.min(1), corners.max(1)])
    if isinstance(inputs, (list, tuple)) and len(inputs) == 2 and 'regions' in packed:
        return [*inputs], [*packed.homography_matrix], np.asarray(packed.regions)
    return None


def region_pair_drawer(is_rgb: bool) -> Callable[[dict], Figure]:
    """Make what draws samples with two views and regions that both show."""

    def draw(sample: dict) -> Figure:
        views, homographies, regions = region_pair(sample)
        path = path_of(sample)
        return draw_shared_regions(
            mmcv.imread(path, channel_order='rgb'),
            [to_rgb(img, is_rgb) for img in views],
            homographies,
            regions,
            title=Path(path).name,
        )

    return draw


def path_of(sample: dict) -> str:
    """The image file of a sample, of one or several branches."""
    packed = sample['data_samples']
    return (next(iter(packed.values())) if isinstance(packed, dict) else packed).img_path


def drawer_of(
    sample: dict, cfg: Config, args: argparse.Namespace, is_rgb: bool
) -> Callable[[dict], Figure]:
    """Choose what draws samples of this kind.

    Raises:
        ValueError: They are no two views, or nothing says what corresponds in them.
    """
    inputs = sample['inputs']
    if isinstance(inputs, dict) and {DETECTION, MOMENTUM} <= set(inputs):
        return pixel_pair_drawer(cfg, args)
    if region_pair(sample) is not None:
        return region_pair_drawer(is_rgb)
    count = 'one image' if isinstance(inputs, torch.Tensor) else f'{len(inputs)} images'
    raise ValueError(
        f'{args.config}: train_dataloader.dataset.pipeline gives {count} without regions that two '
        'views show; drawn are a detection and a momentum view (PixCon), or two views with '
        'regions (Siamese DETR, PLRC)'
    )


def main() -> None:
    """Draw."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        merge_options(cfg, args.cfg_options)
    if args.data_root:
        set_data_root(cfg, args.data_root)
    check_data_files(cfg, ('train',))
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    # Views that are packed as RGB, PackViews says so.
    is_rgb = getattr(dataset.pipeline.transforms[-1], 'to_rgb', False)
    np.random.seed(args.seed)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    draw = None
    indices = range(args.start, min(args.start + args.num, len(dataset)))
    for index in track_progress(indices, 'drawing', len(indices)):
        sample = dataset[index]
        draw = draw or drawer_of(sample, cfg, args, is_rgb)
        written.append(out / f'{Path(path_of(sample)).stem}.png')
        draw(sample).savefig(written[-1], dpi=80)
    print(*written, sep='\n')


if __name__ == '__main__':
    main()
