r"""Time and memory of PLRC's point losses beside a dense version.

    python tools/benchmarks/point_contrast.py --batch 8 32

Regions and points as the paper has them, 16 of 16, 128 channels, keys of the
whole batch; forward and backward, each row on a CPU in a process of its own. The dense
version holds points x keys and lets autograd work.
"""

from __future__ import annotations

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor

import mmpixcon  # noqa: F401  (registers)
from measuring import describe, in_fresh_process, measure
from mmpixcon.models.losses import PointAffinityLoss, PointRegionContrastLoss
from mmpixcon.utils.tables import format_table

REGIONS, POINTS, CHANNELS = 16, 16, 128
TERMS = ('L_c', 'L_a', 'L_c + L_a')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--batch', type=int, nargs='+', default=[8, 32], help='images')
    parser.add_argument('--rounds', type=int, default=3, help='counted runs of each')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def dense(points: Tensor, keys: Tensor, positive: Tensor, terms: str) -> Tensor:
    """Equations (2) and (4) with every matrix whole, (N, n, C) and (N, n, n)."""
    count = points.shape[1]
    pool = keys.flatten(0, 1)
    log_p = (points.flatten(0, 1) @ pool.T / 0.1).log_softmax(1)
    loss = points.new_zeros(())
    if 'L_c' in terms:
        same_image = log_p.unflatten(0, (-1, count)).unflatten(2, (-1, count))
        same_image = same_image.diagonal(dim1=0, dim2=2).permute(2, 0, 1)
        loss = loss - ((same_image * positive).sum((1, 2)) / positive.sum((1, 2))).mean()
    if 'L_a' in terms:
        teacher = (pool @ pool.T / 0.07).softmax(1)
        loss = loss - (teacher * log_p).sum(1).mean()
    return loss


def shipped(points: Tensor, keys: Tensor, positive: Tensor, terms: str) -> Tensor:
    """The shipped losses."""
    pool = keys.flatten(0, 1)[None]
    valid = torch.ones(pool.shape[:2], dtype=torch.bool, device=pool.device)
    loss = points.new_zeros(())
    if 'L_c' in terms:
        loss = loss + PointRegionContrastLoss()(points, keys, positive, pool, valid)
    if 'L_a' in terms:
        are_points = valid.view(points.shape[:2])
        affinity = PointAffinityLoss()(points, keys, are_points, pool, valid)
        loss = loss + affinity['loss_affinity']
    return loss


def measure_loss(args: tuple[str, str, int, str, int]) -> tuple[float, float, float]:
    """Seconds, MB beyond what was held before, and the value; on a CPU in a fresh process."""
    name, terms, batch, device, rounds = args
    torch.manual_seed(0)
    shape = (batch, REGIONS * POINTS, CHANNELS)
    points, keys = (F.normalize(torch.randn(shape, device=device), dim=2) for _ in range(2))
    points.requires_grad_()
    region = torch.randint(REGIONS, (batch, REGIONS), device=device).repeat_interleave(POINTS, 1)
    positive = region[:, :, None] == region[:, None, :]
    run = {'dense': dense, 'ours': shipped}[name]
    values = []

    def step(images: slice = slice(None)) -> None:
        points.grad = None
        loss = run(points[images], keys[images], positive[images], terms)
        loss.backward()
        values.append(loss.item())

    step(slice(0, 1))
    return *measure(step, device, rounds), values[-1]


def main() -> None:
    """Measure and print."""
    args = parse_args()
    print(describe(args.device))
    rows = []
    for batch in args.batch:
        for terms in TERMS:
            measured = {}
            for name in ('dense', 'ours'):
                print(f'{batch} images, {terms}, {name} ...', end='\r', flush=True)
                job = (name, terms, batch, args.device, args.rounds)
                measured[name] = in_fresh_process(measure_loss, job, args.device)
            (dense_s, dense_mb, dense_value), (our_s, our_mb, our_value) = measured.values()
            assert abs(dense_value - our_value) < 1e-4 * abs(dense_value), (batch, terms)
            seconds = [f'{dense_s:.3f}', f'{our_s:.3f}', f'{dense_s / our_s:.1f}']
            memory = [f'{dense_mb:,.0f}', f'{our_mb:,.0f}', f'{dense_mb / our_mb:.0f}']
            rows.append([str(batch), terms, *seconds, *memory])
    header = ['images', 'losses', 'dense s', 'ours s', 'ratio', 'dense MB', 'ours MB', 'ratio']
    print(format_table(header, rows))


if __name__ == '__main__':
    main()
