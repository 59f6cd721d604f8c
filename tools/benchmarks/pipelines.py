"""Images per second and core of the view pipelines, beside mmselfsup's stock one.

    python tools/benchmarks/pipelines.py

Files to packed tensors, in one process and one thread; all take turns on the
same photos, those of examples/bccd unless --images names other ones, and what
counts is processor time, so that other programs disturb little. Stock is MoCo
v2's pipeline as mmselfsup ships it, two views. The floor is that of two MoCo v2
views: bare OpenCV calls for decoding, two crops resized bilinearly, and each
color transform's cost times its probability; no drawing, no homographies, no
packing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.utils import get_installed_path

from mmpixcon.datasets.transforms import (
    ColorJitter,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomResizedCrop,
)
from mmpixcon.datasets.unlabelled import UnlabelledDataset
from mmpixcon.registry import TRANSFORMS
from mmpixcon.utils.tables import format_table

ROOT = Path(__file__).resolve().parents[2]
VIEWS = ROOT / 'configs' / '_base_' / 'views'
STOCK_FILE = '.mim/configs/selfsup/mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k.py'
NAMES = dict(mocov2='MoCo v2', byol='BYOL', detco='DetCo, 2 global + 2 local')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    images = ROOT / 'examples' / 'bccd' / 'images'
    parser.add_argument(
        '--images', type=Path, default=images, help="folder of photos (default: BCCD's)"
    )
    parser.add_argument('--number', type=int, default=60, help='photos, the first ones')
    parser.add_argument('--rounds', type=int, default=7, help='counted turns of each')
    return parser.parse_args()


def build_pipelines() -> dict[str, Callable[[str], object]]:
    """Stock first, then ours; each makes packed views of a file."""
    stock = Config.fromfile(Path(get_installed_path('mmselfsup')) / STOCK_FILE)
    with DefaultScope.overwrite_default_scope('mmselfsup'):
        pipelines = {'stock MoCo v2': Compose(stock.train_pipeline)}
    for file, name in NAMES.items():
        views = Config.fromfile(VIEWS / f'{file}.py')
        pipelines[name] = Compose([views.read_image, views.contrast_views, views.pack_views])
    return {
        name: lambda path, pipeline=pipeline: pipeline(dict(img_path=path))
        for name, pipeline in pipelines.items()
    }


def build_floor(paths: list[str]) -> dict[str, tuple[float, Callable[[str], object]]]:
    """Parts of the floor: how often an image has each, and bare OpenCV calls that do it."""
    np.random.seed(0)
    steps = [TRANSFORMS.build(step) for step in Config.fromfile(VIEWS / 'mocov2.py').mocov2_view]
    by_type = {type(step): step for step in steps}
    crop = by_type[RandomResizedCrop]
    jitter, gray, blur = (
        2 * by_type[kind].prob for kind in (ColorJitter, RandomGrayscale, RandomGaussianBlur)
    )
    contents = {path: np.fromfile(path, np.uint8) for path in paths}
    regions, views, deviations = {}, {}, {}
    size = crop.scale[::-1]
    for path, content in contents.items():
        img = cv2.imdecode(content, cv2.IMREAD_COLOR)
        top, left, height, width = crop.rand_crop_params(img)
        regions[path] = img[top : top + height, left : left + width]
        views[path] = cv2.resize(regions[path], size)
        deviations[path] = np.random.uniform(*by_type[RandomGaussianBlur].sigma)

    def to_gray(path: str) -> np.ndarray:
        plane = cv2.cvtColor(views[path], cv2.COLOR_BGR2GRAY)
        return cv2.cvtColor(plane, cv2.COLOR_GRAY2BGR)

    def contrast(path: str) -> np.ndarray:
        mean = cv2.mean(views[path])[0]
        return cv2.addWeighted(views[path], 1.2, views[path], 0, -0.2 * mean)

    def hue(path: str) -> np.ndarray:
        hsv = cv2.cvtColor(views[path], cv2.COLOR_BGR2HSV_FULL)
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)

    return {
        'decode': (1, lambda path: cv2.imdecode(contents[path], cv2.IMREAD_COLOR)),
        'resize': (2, lambda path: cv2.resize(regions[path], size)),
        'brightness': (jitter, lambda path: cv2.convertScaleAbs(views[path], alpha=1.2)),
        'contrast': (jitter, contrast),
        'saturation': (
            jitter,
            lambda path: cv2.addWeighted(views[path], 1.2, to_gray(path), -0.2, 0),
        ),
        'hue': (jitter, hue),
        'gray': (gray, to_gray),
        'blur': (blur, lambda path: cv2.GaussianBlur(views[path], (0, 0), deviations[path])),
    }


def measure(work: Callable[[str], object], paths: list[str]) -> float:
    """Processor milliseconds an image."""
    start = time.process_time()
    for path in paths:
        work(path)
    return (time.process_time() - start) / len(paths) * 1e3


def main() -> None:
    """Measure in turns and print."""
    args = parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    data = UnlabelledDataset(data_root=str(args.images), indices=args.number)
    paths = [data.get_data_info(i)['img_path'] for i in range(len(data))]
    pipelines, parts = build_pipelines(), build_floor(paths)
    works = {**pipelines, **{name: work for name, (_, work) in parts.items()}}
    times: dict[str, list[float]] = {name: [] for name in [*works, 'floor']}
    np.random.seed(0)
    for turn in range(args.rounds + 1):
        print(f'turn {turn}/{args.rounds} ...', end='\r', flush=True)
        spent = {name: measure(work, paths) for name, work in works.items()}
        spent['floor'] = sum(share * spent[name] for name, (share, _) in parts.items())
        if turn > 0:  # the first warms up
            for name, value in spent.items():
                times[name].append(value)
    height, width = cv2.imread(paths[0]).shape[:2]
    print(
        f'{len(paths)} photos like {width} x {height}, median of {args.rounds} turns; OpenCV '
        f'{cv2.__version__}, torch {torch.__version__}, numpy {np.__version__}'
    )
    medians = {name: statistics.median(values) for name, values in times.items()}
    rows = []
    for name in [*pipelines, 'floor']:
        ratios = [stock / pipeline for stock, pipeline in zip(times['stock MoCo v2'], times[name])]
        rows.append(
            [
                f'{name} of MoCo v2' if name == 'floor' else name,
                f'{medians[name]:.2f}',
                f'{1e3 / medians[name]:.0f}',
                f'{statistics.median(ratios):.2f}',
                f'{min(ratios):.2f} to {max(ratios):.2f}',
                f'{medians[name] / medians["floor"]:.2f}',
            ]
        )
    header = ['pipeline', 'ms', 'images/s', 'to stock', 'turn by turn', 'time to floor']
    print(format_table(header, rows))
    listed = (f'{share:g} x {name} {medians[name]:.3f}' for name, (share, _) in parts.items())
    print(f'floor, ms: {", ".join(listed)}')


if __name__ == '__main__':
    main()
