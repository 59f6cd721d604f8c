r"""Images a second of pretraining, beside the card's limit, mmselfsup and lightly; and of loading.

    python tools/benchmarks/throughput.py
    python tools/benchmarks/throughput.py --dtypes float32 bfloat16 --seconds 40
    python tools/benchmarks/throughput.py --compile        # takes minutes to generate code

A step is everything from views on the device to new weights: loss, gradients, optimizer,
momentum encoder, memory bank; an image is both of its views. The limit is forward and backward of
the bare ResNet on one view, and nothing else. The MoCo v2 of mmselfsup and of lightly stand
beside it where they are installed, on the same views with the same optimizer; that of lightly as
its documentation writes the step, on torchvision's ResNet. All take turns until the time is up.

Loading is measured apart, in one process on one core: processor time from files to packed views
through the pipeline that ``configs/_base_/views/mocov2.py`` ships. How many such cores feed the
card at the rate of its fastest step is the last line.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import mmpixcon  # noqa: F401  (registers)
from measuring import autocast, describe, synchronize
from mmpixcon.datasets.unlabelled import UnlabelledDataset
from mmpixcon.utils.tables import format_table
from pipelines import build_pipelines, measure
from pretext_step import STOCK, STOCK_MOCO, build
from step_floors import loss_of, view_samples

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'moco' / 'mocov2_r50_8xb32-200e_imagenet.py'
IMAGES = ROOT / 'examples' / 'bccd' / 'images'
LIMIT, OURS, LIGHTLY = 'limit: bare backbone', 'mmpixcon', 'lightly MoCo v2'
DTYPES = ('float32', 'bfloat16', 'float16')
Run = Callable[[], None]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--config', type=Path, default=CONFIG, help='MoCo, DetCo without patches')
    parser.add_argument('--batch', type=int, default=128, help='images of a step')
    parser.add_argument('--size', type=int, default=224, help='pixels of a view')
    parser.add_argument('--dtypes', nargs='+', choices=DTYPES, default=['bfloat16'])
    parser.add_argument('--seconds', type=float, default=25, help='of all turns together')
    parser.add_argument('--steps', type=int, default=5, help='of a turn, without a wait between')
    parser.add_argument('--compile', action='store_true', help='add a row with torch.compile')
    parser.add_argument('--depth', type=int, default=50, choices=[18, 50], help='of the ResNets')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--images', type=Path, default=IMAGES, help='photos, to load')
    return parser.parse_args()


def train_step(model: nn.Module, loss: Callable[[], Tensor], args: argparse.Namespace) -> Run:
    """A step of a model, optimizer included."""
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], 0.03, momentum=0.9, weight_decay=1e-4
    )

    def run() -> None:
        optimizer.zero_grad()
        with autocast(args.device, args.dtype):
            value = loss()
        value.backward()
        optimizer.step()

    return run


def model_of(config: str | Path, args: argparse.Namespace) -> nn.Module:
    """The model of a config, with the depth that was asked for."""
    changes = {}
    if args.depth != 50:
        changes = {'model.backbone.depth': args.depth, 'model.neck.in_channels': 512}
    return build(config, args, changes)


def steps_of(args: argparse.Namespace) -> dict[str, Run]:
    """Make what takes turns, by name."""
    shape = (args.batch, 3, args.size, args.size)
    views = [torch.randn(shape, device=args.device) for _ in range(2)]
    samples = view_samples(args.batch, args.size)
    runs: dict[str, Run] = {}

    def ours(channels_last: bool, compiled: bool) -> Run:
        model = model_of(args.config, args)
        if channels_last:
            model = model.to(memory_format=torch.channels_last)
        called = torch.compile(model) if compiled else model
        return train_step(model, lambda: loss_of(called, views, samples), args)

    def limit(channels_last: bool) -> Run:
        backbone = model_of(args.config, args).backbone
        if channels_last:
            backbone = backbone.to(memory_format=torch.channels_last)

        def run() -> None:
            for parameter in backbone.parameters():
                parameter.grad = None
            with autocast(args.device, args.dtype):
                maps = backbone(views[0])
            maps[-1].sum().backward()

        return run

    runs[LIMIT] = limit(False)
    runs[f'{LIMIT}, channels-last'] = limit(True)
    runs[OURS] = ours(False, False)
    runs[f'{OURS}, channels-last'] = ours(True, False)
    if args.compile:
        runs[f'{OURS}, channels-last, compiled'] = ours(True, True)
    stock = model_of(STOCK_MOCO, args)
    runs[STOCK] = train_step(stock, lambda: loss_of(stock, views, samples), args)
    if importlib.util.find_spec('lightly') is not None:
        runs[LIGHTLY] = lightly_step(views, args)
    return runs


def lightly_step(views: list[Tensor], args: argparse.Namespace) -> Run:
    """MoCo v2 as lightly's documentation has it: shuffled keys, loss with a bank of 65,536."""
    import copy

    import torchvision
    from lightly.loss import NTXentLoss
    from lightly.models.modules import MoCoProjectionHead
    from lightly.models.utils import (
        batch_shuffle,
        batch_unshuffle,
        deactivate_requires_grad,
        update_momentum,
    )

    resnet = getattr(torchvision.models, f'resnet{args.depth}')(weights=None)
    channels = resnet.fc.in_features
    resnet.fc = nn.Identity()
    query = nn.Sequential(resnet, MoCoProjectionHead(channels, 2048, 128)).to(args.device)
    key = copy.deepcopy(query)
    deactivate_requires_grad(key)
    criterion = NTXentLoss(temperature=0.2, memory_bank_size=(65536, 128)).to(args.device)

    def loss() -> Tensor:
        update_momentum(query, key, 0.999)
        queries = query(views[0])
        with torch.no_grad():
            shuffled, order = batch_shuffle(views[1])
            keys = batch_unshuffle(key(shuffled), order)
        return criterion(queries, keys)

    return train_step(query, loss, args)


def rates(runs: dict[str, Run], seconds: float, args: argparse.Namespace) -> dict[str, list[float]]:
    """Images a second of each, turn by turn; the first turn, which warms up, is left out."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    start = time.perf_counter()
    for turn in itertools.count():
        for name, run in runs.items():
            print(f'{args.dtype}, turn {turn}, {name} ...'.ljust(70), end='\r', flush=True)
            synchronize(args.device)
            begin = time.perf_counter()
            for _ in range(args.steps):
                run()
            synchronize(args.device)
            if turn:
                spent = time.perf_counter() - begin
                found[name].append(args.steps * args.batch / spent)
        if turn and time.perf_counter() - start > seconds:
            break
    return found


def table(found: dict[str, list[float]], batch: int) -> list[list[str]]:
    """Rows: images a second, milliseconds a step, and ratios, turn by turn, to the others."""

    def ratio(name: str, other: str) -> str:
        if other not in found:
            return '-'
        return f'{statistics.median(a / b for a, b in zip(found[name], found[other])):.2f}'

    return [
        [name, f'{rate:.0f}', f'{1e3 * batch / rate:.1f}']
        + [ratio(name, other) for other in (LIMIT, STOCK, LIGHTLY)]
        for name, rate in ((name, statistics.median(values)) for name, values in found.items())
    ]


def loading_rate(images: Path) -> float:
    """Images a second and core through the shipped pipeline of MoCo v2."""
    cv2.setNumThreads(1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    data = UnlabelledDataset(data_root=str(images), indices=60)
    paths = [data.get_data_info(i)['img_path'] for i in range(len(data))]
    pipeline = build_pipelines()['MoCo v2']
    measure(pipeline, paths[:10])
    milliseconds = measure(pipeline, paths)
    torch.set_num_threads(threads)
    return 1e3 / milliseconds


def main() -> None:
    """Measure and print."""
    args = parse_args()
    logging.disable(logging.INFO)
    init_default_scope('mmselfsup')
    rows: list[list[str]] = []
    fastest = 0.0
    for dtype in args.dtypes:
        args.dtype = dtype
        found = rates(steps_of(args), args.seconds / len(args.dtypes), args)
        rows += [[dtype, *row] for row in table(found, args.batch)]
        ours = (values for name, values in found.items() if name.startswith(OURS))
        fastest = max(fastest, *map(statistics.median, ours))
    print(
        f'{describe(args.device)}; {args.config.stem}, ResNet-{args.depth}, '
        f'{args.batch} x {args.size} x {args.size}'.ljust(70)
    )
    header = ['type', 'step', 'images/s', 'ms', 'to the limit', 'to mmselfsup', 'to lightly']
    print(format_table(header, rows))
    loaded = loading_rate(args.images)
    print(
        f'loading: {loaded:.0f} images a second and core; {fastest / loaded:.1f} such cores feed '
        f'{fastest:.0f} images a second'
    )
    if importlib.util.find_spec('lightly') is None:
        print('lightly is not installed: pip install lightly')


if __name__ == '__main__':
    main()
