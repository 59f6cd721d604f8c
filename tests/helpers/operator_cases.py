"""Calls of mmcv's operators whose results a compiled mmcv has written down.

``python -m tests.helpers.operator_cases`` makes ``tests/test_ops/operators.npz``.
It has to run in an environment with a compiled mmcv (``make env
MMCV=compiled``); the file here was made with mmcv 2.1.0, compiled against torch
2.11.0 on an x86-64 CPU. The tests make the same calls with the operators that
are installed and compare.

Operators that mmcv compiles for CUDA only (RoIPool, the focal losses,
multi-scale deformable attention) are not in the file: their tests have plain
references instead.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmcv import ops
from torch import Tensor

import mmpixcon_ops  # noqa: F401  (provides the operators where mmcv has none compiled)

GOLDEN = Path(__file__).resolve().parents[1] / 'test_ops' / 'operators.npz'

Tensors = dict[str, Tensor]


def _boxes(generator: torch.Generator, number: int, levels: int | None = None) -> Tensors:
    """Boxes of which many overlap, scores, classes.

    Where a compiled mmcv sorts scores, equal ones come out in an order that depends on the
    processor: scores differ, unless ``levels`` says of how many values they are.
    """
    centers = torch.rand(number, 2, generator=generator) * 60
    sizes = torch.rand(number, 2, generator=generator) * 30 + 2
    scores = (torch.randperm(number, generator=generator) + 1) / (number + 1)
    if levels is not None:
        scores = (scores * levels).ceil() / levels
    return dict(
        boxes=torch.cat([centers - sizes / 2, centers + sizes / 2], dim=1),
        scores=scores,
        classes=torch.randint(0, 3, (number,), generator=generator),
    )


def _regions(generator: torch.Generator, number: int) -> Tensors:
    """Maps of two images and regions in them, some of which reach outside."""
    corner = torch.rand(number, 2, generator=generator) * 50 - 4
    size = torch.rand(number, 2, generator=generator) * 40
    image = torch.arange(number)[:, None] % 2
    return dict(
        maps=torch.randn(2, 3, 14, 17, generator=generator),
        rois=torch.cat([image, corner, corner + size], dim=1),
    )


def _convolution(
    generator: torch.Generator, groups: int, deform_groups: int, out: tuple[int, int]
) -> Tensors:
    """Maps, weights, shifts and factors of a 3 x 3 kernel."""
    return dict(
        maps=torch.randn(2, 4, 9, 11, generator=generator),
        weight=torch.randn(6, 4 // groups, 3, 3, generator=generator),
        bias=torch.randn(6, generator=generator),
        offset=torch.randn(2, deform_groups * 18, *out, generator=generator) * 2,
        mask=torch.rand(2, deform_groups * 9, *out, generator=generator),
    )


def _with_gradients(call: Callable[..., Tensor], tensors: Tensors, names: tuple) -> Tensors:
    """Call, and add the gradients of a weighted sum of the output by the named tensors."""
    inputs = {k: v.clone().requires_grad_(k in names) for k, v in tensors.items()}
    output = call(inputs)
    factors = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output)
    gradients = torch.autograd.grad((output * factors).sum(), [inputs[name] for name in names])
    return dict(output=output.detach(), **dict(zip((f'grad_{n}' for n in names), gradients)))


def _nms(**options: object) -> Callable[[Tensors], Tensors]:
    def call(x: Tensors) -> Tensors:
        dets, kept = ops.nms(x['boxes'], x['scores'], **options)
        return dict(dets=dets, kept=kept)

    return call


def _soft_nms(**options: object) -> Callable[[Tensors], Tensors]:
    def call(x: Tensors) -> Tensors:
        dets, kept = ops.soft_nms(x['boxes'], x['scores'], **options)
        return dict(dets=dets, kept=kept)

    return call


def _batched_nms(**nms_cfg: object) -> Callable[[Tensors], Tensors]:
    def call(x: Tensors) -> Tensors:
        dets, kept = ops.batched_nms(x['boxes'], x['scores'], x['classes'], nms_cfg)
        return dict(dets=dets, kept=kept)

    return call


def _nms_match(x: Tensors) -> Tensors:
    groups = ops.nms_match(torch.cat([x['boxes'], x['scores'][:, None]], dim=1), 0.4)
    return dict(
        indices=torch.cat(groups) if groups else torch.zeros(0, dtype=torch.long),
        sizes=torch.tensor([len(group) for group in groups], dtype=torch.long),
    )


def _roi_align(**options: object) -> Callable[[Tensors], Tensors]:
    layer = ops.RoIAlign(output_size=(3, 4), spatial_scale=0.25, **options)
    return lambda x: _with_gradients(lambda y: layer(y['maps'], y['rois']), x, ('maps',))


def _deform_conv(*geometry: object) -> Callable[[Tensors], Tensors]:
    def call(x: Tensors) -> Tensor:
        return ops.deform_conv2d(x['maps'], x['offset'], x['weight'], *geometry)

    return lambda x: _with_gradients(call, x, ('maps', 'offset', 'weight'))


def _modulated(with_bias: bool, *geometry: object) -> Callable[[Tensors], Tensors]:
    names = ('maps', 'offset', 'mask', 'weight', *(['bias'] if with_bias else []))

    def call(x: Tensors) -> Tensor:
        bias = x['bias'] if with_bias else None
        return ops.modulated_deform_conv2d(
            x['maps'], x['offset'], x['mask'], x['weight'], bias, *geometry
        )

    return lambda x: _with_gradients(call, x, names)


_G = torch.Generator

# name: (makes the inputs, makes the outputs)
CASES: dict[str, tuple[Callable[[_G], Tensors], Callable[[Tensors], Tensors]]] = {
    'nms': (lambda g: _boxes(g, 60), _nms(iou_threshold=0.3)),
    'nms, offset 1': (lambda g: _boxes(g, 60), _nms(iou_threshold=0.3, offset=1)),
    'nms, thresholds': (
        lambda g: _boxes(g, 60),
        _nms(iou_threshold=0.5, score_threshold=0.3, max_num=9),
    ),
    'nms, no boxes': (lambda g: _boxes(g, 0), _nms(iou_threshold=0.3)),
    'soft-NMS, naive': (lambda g: _boxes(g, 40, levels=9), _soft_nms(method='naive')),
    'soft-NMS, linear': (lambda g: _boxes(g, 40), _soft_nms(method='linear', min_score=0.2)),
    'soft-NMS, linear, offset 1': (lambda g: _boxes(g, 40, levels=9), _soft_nms(offset=1)),
    'soft-NMS, Gaussian': (
        lambda g: _boxes(g, 40),
        _soft_nms(method='gaussian', sigma=0.3, min_score=0.1),
    ),
    'soft-NMS, no boxes': (lambda g: _boxes(g, 0), _soft_nms()),
    'NMS-match': (lambda g: _boxes(g, 40), _nms_match),
    'NMS-match, no boxes': (lambda g: _boxes(g, 0), _nms_match),
    'batched NMS': (lambda g: _boxes(g, 60), _batched_nms(type='nms', iou_threshold=0.3)),
    'batched NMS, class-agnostic': (
        lambda g: _boxes(g, 60),
        _batched_nms(type='nms', iou_threshold=0.3, class_agnostic=True),
    ),
    'batched NMS, class by class': (
        lambda g: _boxes(g, 60),
        _batched_nms(type='nms', iou_threshold=0.3, split_thr=10),
    ),
    'batched soft-NMS': (
        lambda g: _boxes(g, 40),
        _batched_nms(type='soft_nms', iou_threshold=0.3, min_score=0.05),
    ),
    'RoIAlign': (lambda g: _regions(g, 12), _roi_align()),
    'RoIAlign, 2 x 2 samples': (lambda g: _regions(g, 12), _roi_align(sampling_ratio=2)),
    'RoIAlign, not aligned': (lambda g: _regions(g, 12), _roi_align(aligned=False)),
    'RoIAlign, no regions': (lambda g: _regions(g, 0), _roi_align()),
    'deformable convolution': (
        lambda g: _convolution(g, 1, 1, (9, 11)),
        _deform_conv(1, 1, 1, 1, 1),
    ),
    'deformable convolution, groups, stride, dilation': (
        lambda g: _convolution(g, 2, 2, (4, 5)),
        _deform_conv((2, 2), (1, 1), (2, 2), 2, 2),
    ),
    'modulated deformable convolution': (
        lambda g: _convolution(g, 1, 1, (9, 11)),
        _modulated(False, 1, 1, 1, 1, 1),
    ),
    'modulated deformable convolution, bias, groups, stride': (
        lambda g: _convolution(g, 2, 2, (5, 4)),
        _modulated(True, (2, 3), 1, 1, 2, 2),
    ),
}


def write_golden() -> None:
    """Run every case and write its inputs and outputs."""
    arrays = {}
    for index, (name, (make_inputs, call)) in enumerate(CASES.items()):
        inputs = make_inputs(torch.Generator().manual_seed(index))
        for side, tensors in (('in', inputs), ('out', call(inputs))):
            arrays.update({f'{name}|{side}|{k}': v.numpy() for k, v in tensors.items()})
    np.savez_compressed(GOLDEN, **arrays)


def read_golden(name: str) -> tuple[Tensors, Tensors]:
    """Read the inputs and outputs of a case.

    Args:
        name (str): Key of ``CASES``.

    Returns:
        tuple[dict, dict]: Inputs and outputs, tensors by name.
    """
    sides: dict[str, Tensors] = {'in': {}, 'out': {}}
    with np.load(GOLDEN) as arrays:
        for key in arrays.files:
            case, side, tensor = key.split('|')
            if case == name:
                sides[side][tensor] = torch.from_numpy(arrays[key])
    return sides['in'], sides['out']


if __name__ == '__main__':
    extension = __import__('mmcv._ext', fromlist=['_'])
    if hasattr(extension, 'IS_MMPIXCON_OPS'):
        raise SystemExit('This environment has no compiled mmcv: make env MMCV=compiled')
    write_golden()
    print(f'{GOLDEN}: {GOLDEN.stat().st_size / 1024:.0f} kB')
