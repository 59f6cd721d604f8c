r"""Times multi-scale deformable attention on a GPU: Triton's kernels, PyTorch, mmcv's compiled.

    python tools/benchmarks/deformable_attention.py
    python tools/benchmarks/deformable_attention.py --types float32 --locations near --rounds 50

Forward and backward of two images with four levels of 800 x 1216, every cell a query, 8 heads
of 32 channels, 4 points: the encoder of Deformable DETR. Locations are 'near', around the query's
own cell, as in a trained encoder, or 'anywhere'. Under 16 bits the kernels get locations and
weights in float32, as under autocast; the others can take one type only, and get that.

Before anything is timed, the kernels' output and gradients are compared with those of mmcv's
PyTorch version in float32, and a call that waits for the device is an error.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor
from torch.autograd import Function

import mmpixcon  # noqa: F401  (registers)
from measuring import peak_memory, start_of_peak
from mmpixcon.utils.tables import format_table
from mmpixcon_ops import deformable_attention, operators

SHAPES = ((100, 152), (50, 76), (25, 38), (13, 19))
BATCH, HEADS, DIMS, POINTS = 2, 8, 32, 4
TYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
LOCATIONS = ('near', 'anywhere')
# Value, spatial shapes, starts of the levels, locations, weights.
Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
Attention = Callable[..., Tensor]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--types', nargs='+', choices=list(TYPES), default=list(TYPES))
    parser.add_argument('--locations', nargs='+', choices=LOCATIONS, default=LOCATIONS)
    parser.add_argument('--rounds', type=int, default=20, help='counted runs of each')
    return parser.parse_args()


def make_inputs(shapes: tuple[tuple[int, int], ...], locations: str, device: str) -> Inputs:
    """Make what attention takes, in float32, with all cells of all levels as queries."""
    torch.manual_seed(0)
    spatial = torch.tensor(shapes, device=device)
    cells = spatial.prod(1)
    centers = [
        torch.stack(
            torch.meshgrid(
                (torch.arange(w, device=device) + 0.5) / w,
                (torch.arange(h, device=device) + 0.5) / h,
                indexing='xy',
            ),
            -1,
        ).flatten(0, 1)
        for h, w in shapes
    ]
    queries = int(cells.sum())
    size = (BATCH, queries, HEADS, len(shapes), POINTS)
    if locations == 'near':
        # A few cells away, in every level.
        offsets = 4 * torch.randn(*size, 2, device=device) / spatial.flip(1)[:, None]
        places = torch.cat(centers)[None, :, None, None, None] + offsets
    else:
        places = torch.rand(*size, 2, device=device)
    value = torch.randn(BATCH, queries, HEADS, DIMS, device=device)
    weights = torch.randn(size, device=device).flatten(3).softmax(-1).view(size)
    return value, spatial, cells.cumsum(0) - cells, places, weights


def by_kernels(*inputs: Tensor) -> Tensor:
    """Attention by Triton's kernels."""
    return deformable_attention.MultiScaleDeformableAttnFunction.apply(*inputs, 64)


def by_pytorch(value: Tensor, spatial: Tensor, _: Tensor, *samples: Tensor) -> Tensor:
    """Attention by mmcv's version in PyTorch."""
    # After mmpixcon_ops: without it, mmcv.ops wants compiled operators.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(value, spatial, *samples)


def compiled_attention(extension: ModuleType) -> Attention:
    """Attention by mmcv's compiled operators."""

    class Compiled(Function):
        @staticmethod
        def forward(ctx, *inputs: Tensor) -> Tensor:
            ctx.save_for_backward(*inputs)
            return extension.ms_deform_attn_forward(*inputs, im2col_step=64)

        @staticmethod
        def backward(ctx, grad_output: Tensor) -> tuple[Tensor | None, ...]:
            inputs = ctx.saved_tensors
            grads = [torch.zeros_like(inputs[i]) for i in (0, 3, 4)]
            extension.ms_deform_attn_backward(
                *inputs, grad_output.contiguous(), *grads, im2col_step=64
            )
            return grads[0], None, None, *grads[1:]

    return Compiled.apply


def run(attention: Attention, inputs: Inputs, grad_output: Tensor) -> tuple[Tensor, ...]:
    """Output and the gradients of value, locations and weights."""
    leaves = [inputs[i].detach().requires_grad_() for i in (0, 3, 4)]
    output = attention(leaves[0], *inputs[1:3], *leaves[1:])
    return output.detach(), *torch.autograd.grad(output, leaves, grad_output)


def differences(inputs: Inputs, grad_output: Tensor, dtype: torch.dtype) -> dict[str, float]:
    """Largest differences between kernels and PyTorch, as a share of the largest value."""
    value, spatial, starts, locations, weights = inputs
    rounded = value.to(dtype)
    grad = grad_output.to(dtype)
    torch.cuda.set_sync_debug_mode('error')
    actual = run(by_kernels, (rounded, *inputs[1:]), grad)
    torch.cuda.set_sync_debug_mode('default')
    exact = rounded.float(), spatial, starts, locations, weights
    expected = run(by_pytorch, exact, grad.float())
    # At a cell's center the derivative by the location jumps; on which side of it a location
    # that is as near as float32 tells them apart lies, the two need not agree.
    cells = locations * spatial.flip(1)[:, None] - 0.5
    apart = ((cells - cells.round()).abs() > 1e-3).all(-1, keepdim=True)
    shares = {}
    for name, result, reference in zip(('output', 'value', 'location', 'weight'), actual, expected):
        error = (result.float() - reference).abs()
        if name == 'location':
            error = error * apart
        shares[name] = (error.max() / reference.abs().max()).item()
    return shares


def check(inputs: Inputs, grad_output: Tensor, dtype: torch.dtype) -> None:
    """Stop unless the kernels agree with PyTorch."""
    for name, share in differences(inputs, grad_output, dtype).items():
        # Output and gradient of the values are rounded to their type at the end. Besides, in
        # float32 a place among 152 cells is exact to 1e-5 cells, by either way to compute it.
        rounding = torch.finfo(dtype).eps / 2 if name in ('output', 'value') else 0
        if not share <= 1e-4 + rounding:
            raise SystemExit(f'{dtype}: {name} differs by {share:.1e} of its largest')


def measure(
    attention: Attention, inputs: Inputs, grad_output: Tensor, rounds: int
) -> tuple[float, float]:
    """Milliseconds of forward and backward, the median, and MB held beyond the inputs."""
    for _ in range(5):
        run(attention, inputs, grad_output)
    before = start_of_peak('cuda')
    times = []
    for _ in range(rounds):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run(attention, inputs, grad_output)
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times), (peak_memory('cuda') - before) / 1e6


def main() -> None:
    """Compare, time and print."""
    args = parse_args()
    if not torch.cuda.is_available():
        raise SystemExit('the kernels run on a GPU, and torch finds none')
    compiled_op = None
    if operators() == 'mmcv':
        compiled_op = compiled_attention(importlib.import_module('mmcv._ext'))
    rows = []
    for locations in args.locations:
        inputs = make_inputs(SHAPES, locations, 'cuda')
        if deformable_attention._kernels(inputs[0], *inputs[3:]) is None:
            raise SystemExit('Triton is not installed or does not work here')
        grad_output = torch.randn(*inputs[0].shape[:2], HEADS * DIMS, device='cuda')
        for name in args.types:
            dtype = TYPES[name]
            check(inputs, grad_output, dtype)
            mixed = inputs[0].to(dtype), *inputs[1:]
            same = *mixed[:3], *(samples.to(dtype) for samples in inputs[3:])
            grad = grad_output.to(dtype)
            kernels = measure(by_kernels, mixed, grad, args.rounds)
            pytorch = measure(by_pytorch, same, grad, args.rounds)
            compiled = None
            # Not compiled for bfloat16.
            if compiled_op is not None and dtype != torch.bfloat16:
                compiled = measure(compiled_op, same, grad, args.rounds)
            rows.append(
                [
                    name,
                    locations,
                    f'{kernels[0]:.2f}',
                    f'{pytorch[0]:.2f}',
                    f'{compiled[0]:.2f}' if compiled else '-',
                    f'{pytorch[0] / kernels[0]:.2f}',
                    f'{compiled[0] / kernels[0]:.2f}' if compiled else '-',
                    f'{kernels[1]:,.0f}',
                    f'{pytorch[1]:,.0f}',
                    f'{compiled[1]:,.0f}' if compiled else '-',
                ]
            )
    print(
        f'{torch.cuda.get_device_name()}, torch {torch.__version__}, forward and backward, '
        f'{BATCH} images, {inputs[0].shape[1]:,} queries, median of {args.rounds}'
    )
    header = ['type', 'locations', 'Triton ms', 'PyTorch ms', 'compiled ms', 'PyTorch / Triton']
    header += ['compiled / Triton', 'Triton MB', 'PyTorch MB', 'compiled MB']
    print(format_table(header, rows))
    print('output and gradients of the kernels agree with PyTorch')


if __name__ == '__main__':
    main()
