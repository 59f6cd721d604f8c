r"""Times a pretraining step beside its floor.

    python tools/benchmarks/pretext_step.py configs/moco/mocov2_r50_8xb32-200e_imagenet.py \
        configs/detco/detco_r50_8xb32-200e_imagenet.py --batch 8

Step: the loss, its gradients, the momentum encoder and the memory banks. Floor:
forward and backward of the same images through backbone and heads, and a forward
without gradient of the key images, nothing else. Neither has the optimizer. For
MoCo v2, mmselfsup's stands beside its own floor, with the same weights and images. All
take turns; ratios are taken turn by turn.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.registry import MODELS

STOCK_MOCO = 'mmselfsup::selfsup/mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Time a pretraining step beside its floor')
    parser.add_argument('configs', nargs='+', type=Path, help='of MoCo or DetCo')
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--size', type=int, default=224, help='pixels of a global view')
    parser.add_argument('--patch', type=int, default=64, help='pixels of a patch')
    parser.add_argument('--rounds', type=int, default=7, help='counted turns of each')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--amp', action='store_true', help='under autocast')
    parser.add_argument('--compile', action='store_true', help='with torch.compile')
    return parser.parse_args()


def tensors(value: Tensor | dict | Iterable) -> list[Tensor]:
    """All tensors of a nest."""
    if isinstance(value, Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value
    return [tensor for part in values for tensor in tensors(part)]


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
    """Queries with gradient and keys without, of a method of mmpixcon."""
    queries = model.queries(inputs)
    model.keys(*inputs[1::2])
    return sum(query.sum() for query in tensors(queries))


def loss_of(model: nn.Module, inputs: list[Tensor]) -> Tensor:
    """Sum of a model's losses."""
    return sum(v for k, v in model(inputs, [], mode='loss').items() if 'loss' in k)


def build(config: str | Path, args: argparse.Namespace) -> nn.Module:
    """The model of a config, in training mode."""
    cfg = Config.fromfile(config) if isinstance(config, Path) else _stock(config)
    init_default_scope(cfg.get('default_scope', 'mmselfsup'))
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(cfg.model))
    model.init_weights()
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
    if any('moco' in name for name in named):
        named['mmselfsup MoCo v2'] = STOCK_MOCO
    rows = []
    steps: dict[str, tuple[nn.Module, Callable, Callable]] = {}
    for name, config in named.items():
        model = build(config, args)
        inputs = views_of(model, args)
        floor = stock_moco_floor if config == STOCK_MOCO else our_floor
        run = torch.compile(model) if args.compile else model
        steps[name] = (
            model,
            lambda run=run, inputs=inputs: loss_of(run, inputs),
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
        rows.append(
            [
                name,
                f'{statistics.median(step for step, _ in pairs):.3f}',
                f'{statistics.median(floor for _, floor in pairs):.3f}',
                f'{statistics.median(ratios):.3f}',
                f'{min(ratios):.3f} to {max(ratios):.3f}',
            ]
        )
    header = ['method', 'step s', 'floor s', 'step / floor', 'turn by turn']
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    print(
        f'torch {torch.__version__}, {args.device}, {torch.get_num_threads()} threads, batch '
        f'{args.batch} x {args.size} x {args.size}, median of {args.rounds}        '
    )
    for row in [header, ['-' * width for width in widths], *rows]:
        print('  '.join(cell.rjust(width) for cell, width in zip(row, widths)))


if __name__ == '__main__':
    main()
