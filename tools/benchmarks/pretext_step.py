r"""Times a pretraining step beside its floor.

    python tools/benchmarks/pretext_step.py configs/moco/mocov2_r50_8xb32-200e_imagenet.py \
        configs/detco/detco_r50_8xb32-200e_imagenet.py --batch 8
    python tools/benchmarks/pretext_step.py --batch 4 --size 384 --patch 128 \
        configs/{siamese_detr/siamese-detr,updetr/updetr,detreg/detreg}_conditional-detr-100q_r50_32xb8-60e_imagenet.py

Step: the loss, its gradients, the momentum encoder and the memory banks. Neither it nor
the floor has the optimizer. All take turns; ratios are taken turn by turn. --memory adds
the most that a step of each holds.

Floor of contrast: forward and backward of the same images through backbone and heads, and a
forward without gradient of the key images, nothing else. mmselfsup's MoCo v2 stands
beside its own floor, and the time of each method as a multiple of its.

Floor of detection transformers: a forward without gradient of pictures and crops through
the backbone, forward and backward of the transformer and the heads, nothing else. The time
of each as a multiple of UP-DETR's: --batch counts pictures, of which Siamese DETR has
two an image, so that all see as many pixels; DETReg cuts out more crops.
"""

from __future__ import annotations

import argparse
import copy
import logging
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from measuring import autocast, describe, peak_memory, start_of_peak, synchronize
from mmpixcon.models.pretext import UPDETR
from mmpixcon.models.pretext.region_pretext import RegionPretext
from mmpixcon.registry import MODELS
from mmpixcon.utils.tables import format_table
from step_floors import Step, contrast_step, region_step

STOCK = 'mmselfsup MoCo v2'
STOCK_MOCO = 'mmselfsup::selfsup/mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Time a pretraining step beside its floor')
    parser.add_argument(
        'configs',
        nargs='+',
        type=Path,
        help='of MoCo, DetCo, PLRC, Barlow Twins, VICReg; or of Siamese DETR, UP-DETR, DETReg',
    )
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--size', type=int, default=224, help='pixels of a view, of a picture')
    parser.add_argument('--patch', type=int, default=64, help='pixels of a patch, of a crop')
    parser.add_argument('--rounds', type=int, default=7, help='counted turns of each')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument(
        '--amp', nargs='?', const='bfloat16', choices=['bfloat16', 'float16'], help='autocast'
    )
    parser.add_argument('--memory', action='store_true', help='then measure the memory too')
    parser.add_argument('--compile', action='store_true', help='with torch.compile')
    return parser.parse_args()


def build(
    config: str | Path, args: argparse.Namespace, changes: dict[str, object] | None = None
) -> nn.Module:
    """The model of a config, in training mode, on ``args.device``; with some keys changed."""
    cfg = Config.fromfile(config) if isinstance(config, Path) else _stock(config)
    cfg.merge_from_dict(changes or {})
    if 'detector' in cfg.model:
        cfg.model.detector.backbone.init_cfg = None
    init_default_scope(cfg.get('default_scope', 'mmselfsup'))
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(cfg.model))
    model.init_weights()
    if hasattr(model, 'warmup_epochs'):
        # With all of its losses.
        model.set_epoch(model.warmup_epochs)
    if args.device == 'cpu':
        # SyncBN wants a GPU.
        model = revert_sync_batchnorm(model)
    return model.to(args.device).train()


def _stock(name: str) -> Config:
    """A config of an installed package, by its name."""
    from mmengine.hub import get_config

    return get_config(name)


def timed(step: Callable[[], Tensor], model: nn.Module, args: argparse.Namespace) -> float:
    """Seconds of forward and backward."""
    for parameter in model.parameters():
        parameter.grad = None
    synchronize(args.device)
    start = time.perf_counter()
    with autocast(args.device, args.amp or 'float32'):
        total = step()
    total.backward()
    synchronize(args.device)
    return time.perf_counter() - start


def make(config: str | Path, args: argparse.Namespace) -> Step:
    """Parts of a config that are timed."""
    model = build(config, args)
    runs = torch.compile(model) if args.compile else model
    measured = region_step if isinstance(model, RegionPretext) else contrast_step
    return measured(model, runs, args.batch, args.size, args.patch)


def main() -> None:
    """Measure and print."""
    args = parse_args()
    # Lists of initialized parameters would bury the table.
    logging.disable(logging.INFO)
    configs: dict[str, str | Path] = {path.stem: path for path in args.configs}
    steps = {name: make(config, args) for name, config in configs.items()}
    regions = {isinstance(step.model, RegionPretext) for step in steps.values()}
    if len(regions) > 1:
        raise SystemExit('compare contrast and detection transformers in two runs, not in one')
    reference = next((name for name, step in steps.items() if isinstance(step.model, UPDETR)), '')
    if regions == {False}:
        reference, configs[STOCK] = STOCK, STOCK_MOCO
        steps[STOCK] = make(STOCK_MOCO, args)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for turn in range(args.rounds + 1):
        for name, measured in steps.items():
            print(f'turn {turn}/{args.rounds}, {name} ...        ', end='\r', flush=True)
            # In turns, so that neither is always the one with warm caches.
            order = (measured.step, measured.floor) if turn % 2 else (measured.floor, measured.step)
            pair = [timed(function, measured.model, args) for function in order]
            pair = pair if turn % 2 else pair[::-1]
            if turn > 0:  # the first warms up
                times[name].append((pair[0], pair[1]))
    rows = []
    for name, pairs in times.items():
        ratios = [step / floor for step, floor in pairs]
        multiple = '-'
        if reference:
            turns = zip(pairs, times[reference])
            multiple = f'{statistics.median(step / other for (step, _), (other, _) in turns):.3f}'
        rows.append(
            [
                name,
                f'{statistics.median(step for step, _ in pairs):.3f}',
                f'{statistics.median(floor for _, floor in pairs):.3f}',
                f'{statistics.median(ratios):.3f}',
                f'{min(ratios):.3f} to {max(ratios):.3f}',
                multiple,
            ]
        )
    print(
        f'{describe(args.device)}, {args.amp or "float32"}, batch '
        f'{args.batch} x {args.size} x {args.size}, median of {args.rounds}        '
    )
    other = 'UP-DETR' if regions == {True} else 'stock MoCo'
    header = ['method', 'step s', 'floor s', 'step / floor', 'turn by turn', f'step / {other}']
    print(format_table(header, rows))
    if args.memory:
        print_memory(configs, reference, other, args)


def print_memory(
    configs: dict[str, str | Path], reference: str, other: str, args: argparse.Namespace
) -> None:
    """Print the most memory that step and floor of each hold, each in a fresh process."""
    peaks = {}
    for name, config in configs.items():
        with multiprocessing.get_context('spawn').Pool(1, logging.disable, (logging.INFO,)) as pool:
            step = pool.apply(peak_of, ('step', config, args))
        with multiprocessing.get_context('spawn').Pool(1, logging.disable, (logging.INFO,)) as pool:
            peaks[name] = step, pool.apply(peak_of, ('floor', config, args))
    rows = [
        [
            name,
            f'{step:.0f}',
            f'{floor:.0f}',
            f'{step / floor:.3f}',
            f'{step / peaks[reference][0]:.3f}' if reference else '-',
        ]
        for name, (step, floor) in peaks.items()
    ]
    header = ['method', 'peak MB', 'of the floor', 'ratio', f'peak / {other}']
    print(format_table(header, rows))


def peak_of(part: str, config: str | Path, args: argparse.Namespace) -> float:
    """MB that a step or a floor holds at most, model, gradients and banks included."""
    torch.zeros(1, device=args.device)
    before = start_of_peak(args.device)
    measured = make(config, args)
    for _ in range(2):
        timed(getattr(measured, part), measured.model, args)
    return (peak_memory(args.device) - before) / 1e6


if __name__ == '__main__':
    main()
