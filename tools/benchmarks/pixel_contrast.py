r"""Time and memory of PixCon's losses beside a dense version, and of a whole step.

    python tools/benchmarks/pixel_contrast.py            # losses, then a step
    python tools/benchmarks/pixel_contrast.py --only losses --cells 3800 all
    python tools/benchmarks/pixel_contrast.py --only step --size 1216 800 \
        --config configs/pixcon/ablations/pixcon-all-level_deformable-detr_r50_4xb3-50e_coco.py

Losses: one image, C = 256, forward and backward, geometry included; each row on
a CPU in a process of its own. 'all' is every level, strides 8 to 64, of an 800 x 1216
image, summed. The dense version holds cells x cells and lets autograd work. It computes
each loss on its own: for L_NCE + L_Cos, masks and similarities are computed twice.
Below stands the exponent with which memory grows with cells.

Step: PixCon from a shipped config, Deformable DETR R50's if none is named, beside
its floor, the stock detector's step plus one forward without gradient of backbone and neck on
the momentum view; the two take turns.
"""

from __future__ import annotations

import argparse
import copy
import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import mmpixcon  # noqa: F401  (registers)
from measuring import autocast, describe, in_fresh_process, measure, synchronize
from mmpixcon.models.geometry import PairBatch, PixelPairs, ViewGrid
from mmpixcon.models.losses import PixelCosineLoss, PixelNCELoss
from mmpixcon.models.losses.reference import pixel_cosine, pixel_nce
from mmpixcon.utils.tables import format_table

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'pixcon' / 'pixcon_deformable-detr_r50_4xb3-50e_coco.py'
# Strides 32, 16 and 8 of 800 x 1216, the size that detectors of the paper train at.
LEVELS = {'950': (25, 38), '3800': (50, 76), '15200': (100, 152)}
MAPS = {name: [size] for name, size in LEVELS.items()}
MAPS['all'] = [(100, 152), (50, 76), (25, 38), (13, 19)]
WARM_UP = (8, 8)
CHANNELS, TEMPERATURE = 256, 0.3


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--only', choices=['losses', 'step'])
    parser.add_argument('--cells', nargs='+', choices=list(MAPS), default=list(MAPS))
    parser.add_argument('--config', type=Path, default=CONFIG, help='PixCon config of the step')
    parser.add_argument('--size', type=int, nargs=2, default=(640, 480), metavar=('W', 'H'))
    parser.add_argument('--batch', type=int, default=1, help='images of a step')
    parser.add_argument('--rounds', type=int, default=7, help='counted runs of each')
    parser.add_argument(
        '--amp', nargs='?', const='bfloat16', choices=['bfloat16', 'float16'], help='of a step'
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def make_pairs(cells: tuple[int, int], device: str) -> PixelPairs:
    """An 800 x 1216 image and a flipped crop of 80 % of its sides, with h x w cells each."""
    size = (800, 1216)
    crop = np.diag([1 / 0.8, 1 / 0.8, 1]) @ [[1, 0, -120], [0, 1, -80], [0, 0, 1]]
    flip = np.array([[-1, 0, 1216], [0, 1, 0], [0, 0, 1]])
    query = ViewGrid(torch.eye(3), cells, size, size)
    return PixelPairs(query, ViewGrid(flip @ crop, cells, size, size), device=device)


def plain(query: Tensor, key: Tensor, pairs: PixelPairs, nce: bool, cos: bool) -> Tensor:
    """The losses as their equations have them, every matrix whole, one image (C, h, w)."""
    loss = query.new_zeros(())
    if cos:
        loss = loss + pixel_cosine(query, key, pairs)
    if nce:
        loss = loss + pixel_nce(query, key, pairs, TEMPERATURE)
    return loss


def shipped(query: Tensor, key: Tensor, pairs: PixelPairs, nce: bool, cos: bool) -> Tensor:
    """The shipped losses, one image (C, h, w)."""
    loss, batch = query.new_zeros(()), PairBatch([pairs])
    if cos:
        loss = loss + PixelCosineLoss()(query[None], key[None], batch)
    if nce:
        loss = loss + PixelNCELoss(TEMPERATURE)(query[None], key[None], batch)
    return loss


def measure_loss(args: tuple[str, str, str, str, int]) -> tuple[float, float, float]:
    """Seconds, MB beyond what was held before, and the value; on a CPU in a fresh process."""
    name, terms, cells, device, rounds = args
    torch.manual_seed(0)
    queries = [torch.randn(CHANNELS, *size, device=device) for size in [*MAPS[cells], WARM_UP]]
    keys = [torch.randn_like(query) for query in queries]
    for query in queries:
        query.requires_grad_()
    run = {'dense': plain, 'ours': shipped}[name]
    flags = dict(nce='L_NCE' in terms, cos='L_Cos' in terms)

    values = []

    def step(levels: slice) -> None:
        for query in queries:
            query.grad = None
        loss = sum(
            run(query, key, make_pairs(tuple(query.shape[1:]), device), **flags)
            for query, key in zip(queries[levels], keys[levels])
        )
        loss.backward()
        values.append(loss.item())

    step(slice(-1, None))
    return *measure(lambda: step(slice(0, -1)), device, rounds), values[-1]


def growth(memory: dict[str, float]) -> float:
    """Exponent k of memory ~ cells^k, a least-squares line through the logarithms."""
    sizes = np.log([float(cells) for cells in memory])
    return float(np.polyfit(sizes, np.log(list(memory.values())), 1)[0])


def benchmark_losses(args: argparse.Namespace) -> None:
    """Print time and memory of the losses, dense beside ours."""
    rows = []
    memory: dict[str, dict[str, float]] = {}
    for cells in args.cells:
        large = cells in ('15200', 'all') and args.device == 'cpu'
        for terms in ('L_Cos', 'L_NCE', 'L_NCE + L_Cos'):
            results = {}
            for name in ('dense', 'ours'):
                rounds = 1 if name == 'dense' and large else 3
                print(f'{cells} cells, {terms}, {name} ...', end='\r', flush=True)
                job = (name, terms, cells, args.device, rounds)
                results[name] = in_fresh_process(measure_loss, job, args.device)
            (dense_s, dense_mb, dense_value), (our_s, our_mb, our_value) = results.values()
            assert abs(dense_value - our_value) < 1e-4 * max(1, abs(dense_value)), (cells, terms)
            if cells != 'all':
                memory.setdefault(terms, {})[cells] = our_mb
            total = sum(h * w for h, w in MAPS[cells])
            rows.append(
                [
                    f'{total:,}' + (' (all)' if cells == 'all' else ''),
                    terms,
                    f'{dense_s:.2f}',
                    f'{our_s:.2f}',
                    f'{dense_s / our_s:.1f}',
                    f'{dense_mb:,.0f}',
                    f'{our_mb:,.0f}',
                    f'{dense_mb / our_mb:.0f}',
                ]
            )
    header = ['cells', 'losses', 'dense s', 'ours s', 'ratio', 'dense MB', 'ours MB', 'ratio']
    print(format_table(header, rows))
    for terms, by_cells in memory.items():
        if len(by_cells) > 1:
            print(f'our memory grows with cells to the power {growth(by_cells):.2f} ({terms})')


def build_step_data(args: argparse.Namespace, preprocessor: torch.nn.Module) -> dict:
    """A batch of both views with boxes, preprocessed."""
    from mmdet.testing import demo_mm_inputs

    width, height = args.size
    shapes = [(3, height, width)] * args.batch
    branches = {}
    for seed, branch in enumerate(('detection', 'momentum')):
        packed = demo_mm_inputs(args.batch, shapes, num_items=[8] * args.batch, num_classes=2)
        generator = torch.Generator().manual_seed(seed)
        packed['inputs'] = [
            torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8) for shape in shapes
        ]
        scale = 1.0 if branch == 'detection' else 1.25
        for sample in packed['data_samples']:
            sample.set_metainfo(dict(homography_matrix=np.diag([scale, scale, 1.0])))
        branches[branch] = packed
    data = {
        key: {branch: packed[key] for branch, packed in branches.items()}
        for key in ('inputs', 'data_samples')
    }
    return preprocessor(data, True)


def benchmark_step(args: argparse.Namespace) -> None:
    """Print a PixCon step beside its floor, taking turns."""
    from mmengine.config import Config
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import init_default_scope

    from mmpixcon.registry import MODELS

    init_default_scope('mmpixcon')
    cfg = Config.fromfile(args.config)
    cfg.model.detector.backbone.init_cfg = None
    torch.manual_seed(0)
    pixcon = MODELS.build(copy.deepcopy(cfg.model)).to(args.device).train()
    stock = MODELS.build(copy.deepcopy(pixcon.detector_cfg)).to(args.device).train()
    stock.load_state_dict(pixcon.detector.state_dict())
    data = build_step_data(args, pixcon.data_preprocessor)
    wrappers = {
        name: build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
        for name, model in (('pixcon', pixcon), ('stock', stock))
    }

    def cast() -> torch.autocast:
        return autocast(args.device, args.amp or 'float32')

    def pixcon_step() -> None:
        with cast():
            losses = pixcon.loss(data['inputs'], data['data_samples'])
        wrappers['pixcon'].update_params(pixcon.parse_losses(losses)[0])

    def stock_step() -> None:
        with cast():
            losses = stock.loss(data['inputs']['detection'], data['data_samples']['detection'])
        wrappers['stock'].update_params(stock.parse_losses(losses)[0])

    def floor_step() -> None:
        with torch.no_grad(), cast():
            stock.extract_feat(data['inputs']['momentum'])
        stock_step()

    steps: dict[str, Callable[[], None]] = dict(
        stock=stock_step, floor=floor_step, pixcon=pixcon_step
    )
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(args.rounds + 1):
        for name, step in steps.items():
            print(f'step {round_}/{args.rounds}, {name} ...   ', end='\r', flush=True)
            start = time.perf_counter()
            step()
            synchronize(args.device)
            if round_ > 0:  # the first warms up
                seconds[name].append(time.perf_counter() - start)
    ratios = [p / f for p, f in zip(seconds['pixcon'], seconds['floor'])]
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    rows = [
        [name, f'{value:.3f}', f'{value / medians["floor"]:.3f}'] for name, value in medians.items()
    ]
    print(
        f'{args.config.stem}, {args.batch} x {args.size[0]} x {args.size[1]}, '
        f'{args.amp or "float32"}, median of {args.rounds}'
    )
    print(format_table(['step', 'seconds', 'to floor'], rows))
    print(
        f'pixcon / floor, turn by turn: median {statistics.median(ratios):.3f}, '
        f'{min(ratios):.3f} to {max(ratios):.3f}'
    )


def main() -> None:
    """Run what was asked for."""
    args = parse_args()
    # A line for each weight's options would bury the table.
    logging.disable(logging.INFO)
    print(describe(args.device))
    if args.only != 'step':
        benchmark_losses(args)
    if args.only != 'losses':
        benchmark_step(args)


if __name__ == '__main__':
    main()
