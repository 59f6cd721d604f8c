r"""Times a pretraining step beside its floor.

    python tools/benchmarks/pretext_step.py configs/moco/mocov2_r50_8xb32-200e_imagenet.py \
        configs/detco/detco_r50_8xb32-200e_imagenet.py --batch 8

Step: the loss, its gradients, the momentum encoder and the memory banks. Floor:
forward and backward of the same images through backbone and heads, and a forward
without gradient of the key images, nothing else. Neither has the optimizer. mmselfsup's
MoCo v2 stands beside its own floor, and the time of each method as a multiple of its.
All take turns; ratios are taken turn by turn. --memory adds the most that a step of
each holds.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.registry import MODELS
from mmpixcon.utils.measuring import peak_memory, print_table, start_of_peak

# After mmpixcon, which makes mmselfsup importable.
from mmselfsup.structures import SelfSupDataSample  # isort: skip

STOCK = 'mmselfsup MoCo v2'
STOCK_MOCO = 'mmselfsup::selfsup/mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Time a pretraining step beside its floor')
    parser.add_argument(
        'configs', nargs='+', type=Path, help='of MoCo, DetCo, PLRC, Barlow Twins or VICReg'
    )
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--size', type=int, default=224, help='pixels of a global view')
    parser.add_argument('--patch', type=int, default=64, help='pixels of a patch')
    parser.add_argument('--rounds', type=int, default=7, help='counted turns of each')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--amp', action='store_true', help='under autocast')
    parser.add_argument('--memory', action='store_true', help='then measure the memory too')
    parser.add_argument('--compile', action='store_true', help='with torch.compile')
    return parser.parse_args()


def tensors(value: Tensor | dict | Iterable) -> list[Tensor]:
    """All tensors of a nest."""
    if isinstance(value, Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value
    return [tensor for part in values for tensor in tensors(part)]


def samples_of(args: argparse.Namespace) -> list[SelfSupDataSample]:
    """Geometry of two views of each image: random crops of a photo with a 4 x 4 grid."""
    height, width = 480, 640
    edges = [np.linspace(0, side, 5) for side in (width, height)]
    grid = np.array(
        [
            [edges[0][i], edges[1][j], edges[0][i + 1], edges[1][j + 1]]
            for j in range(4)
            for i in range(4)
        ]
    )
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(args.batch):
        sides = rng.uniform(0.45, 1, 2)[:, None] * (width, height)
        corners = rng.uniform(0, 1, (2, 2)) * ((width, height) - sides)
        matrices = [
            np.diag([*(args.size / side), 1])
            @ np.array([[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1]])
            for side, corner in zip(sides, corners)
        ]
        samples.append(
            SelfSupDataSample(
                metainfo=dict(
                    homography_matrix=np.stack(matrices),
                    img_shape=np.full((2, 2), args.size),
                    ori_shape=(height, width),
                    regions=grid,
                )
            )
        )
    return samples


def views_of(model: nn.Module, args: argparse.Namespace) -> list[Tensor]:
    """Random images in the place of normalized views."""
    shapes = [(args.batch, 3, args.size, args.size)] * 2
    head = getattr(model, 'head', None)
    if getattr(head, 'uses_local', False):
        shapes += [(args.batch, head.num_patches, 3, args.patch, args.patch)] * 2
    return [torch.randn(shape, device=args.device) for shape in shapes]


def stock_moco_floor(model: nn.Module, inputs: list[Tensor]) -> Tensor:
    """Queries with gradient and keys without, of mmselfsup's MoCo."""
    queries = model.neck(model.backbone(inputs[0]))[0]
    with torch.no_grad():
        model.encoder_k.module(inputs[1])
    return queries.sum()


def our_floor(model: nn.Module, inputs: list[Tensor]) -> Tensor:
    """Queries with gradient and keys without; of Barlow Twins and VICReg both views."""
    if hasattr(model, 'queries'):
        queries = model.queries(inputs)
    else:
        queries = [model.neck(model.backbone(view))[0] for view in inputs]
    if hasattr(model, 'keys'):
        model.keys(*inputs[1::2])
    return sum(query.sum() for query in tensors(queries))


def loss_of(model: nn.Module, inputs: list[Tensor], samples: list[SelfSupDataSample]) -> Tensor:
    """Sum of a model's losses."""
    return sum(v for k, v in model(inputs, samples, mode='loss').items() if 'loss' in k)


def build(config: str | Path, args: argparse.Namespace) -> nn.Module:
    """The model of a config, in training mode."""
    cfg = Config.fromfile(config) if isinstance(config, Path) else _stock(config)
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
    if args.device != 'cpu':
        torch.cuda.synchronize()
    start = time.perf_counter()
    with torch.autocast(torch.device(args.device).type, enabled=args.amp):
        total = step()
    total.backward()
    if args.device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    args = parse_args()
    named: dict[str, str | Path] = {path.stem: path for path in args.configs}
    named[STOCK] = STOCK_MOCO
    rows = []
    samples = samples_of(args)
    steps: dict[str, tuple[nn.Module, Callable, Callable]] = {}
    for name, config in named.items():
        model = build(config, args)
        inputs = views_of(model, args)
        floor = stock_moco_floor if config == STOCK_MOCO else our_floor
        run = torch.compile(model) if args.compile else model
        steps[name] = (
            model,
            lambda run=run, inputs=inputs: loss_of(run, inputs, samples),
            lambda model=model, inputs=inputs, floor=floor: floor(model, inputs),
        )
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for turn in range(args.rounds + 1):
        for name, (model, step, floor) in steps.items():
            print(f'turn {turn}/{args.rounds}, {name} ...        ', end='\r', flush=True)
            # In turns, so that neither is always the one with warm caches.
            pair = [timed(f, model, args) for f in ((step, floor) if turn % 2 else (floor, step))]
            pair = pair if turn % 2 else pair[::-1]
            if turn > 0:  # the first warms up
                found[name].append((pair[0], pair[1]))
    for name, pairs in found.items():
        ratios = [step / floor for step, floor in pairs]
        multiples = [step / stock for (step, _), (stock, _) in zip(pairs, found[STOCK])]
        rows.append(
            [
                name,
                f'{statistics.median(step for step, _ in pairs):.3f}',
                f'{statistics.median(floor for _, floor in pairs):.3f}',
                f'{statistics.median(ratios):.3f}',
                f'{min(ratios):.3f} to {max(ratios):.3f}',
                f'{statistics.median(multiples):.3f}',
            ]
        )
    print(
        f'torch {torch.__version__}, {args.device}, {torch.get_num_threads()} threads, batch '
        f'{args.batch} x {args.size} x {args.size}, median of {args.rounds}        '
    )
    header = ['method', 'step s', 'floor s', 'step / floor', 'turn by turn', 'step / stock MoCo']
    print_table(header, rows)
    if args.memory:
        print_memory(named, args)


def print_memory(named: dict[str, str | Path], args: argparse.Namespace) -> None:
    """Print the most memory that a step of each method holds, each in a fresh process."""
    peaks = {}
    for name, config in named.items():
        with multiprocessing.get_context('spawn').Pool(1) as pool:
            peaks[name] = pool.apply(peak_of_step, (config, args))
    rows = [[name, f'{peak:.0f}', f'{peak / peaks[STOCK]:.3f}'] for name, peak in peaks.items()]
    print_table(['method', 'peak MB', 'peak / stock MoCo'], rows)


def peak_of_step(config: str | Path, args: argparse.Namespace) -> float:
    """MB that a step holds at most, model, gradients and banks included."""
    torch.zeros(1, device=args.device)
    before = start_of_peak(args.device)
    model = build(config, args)
    inputs, samples = views_of(model, args), samples_of(args)
    for _ in range(2):
        timed(lambda: loss_of(model, inputs, samples), model, args)
    return (peak_memory(args.device) - before) / 1e6


if __name__ == '__main__':
    main()
