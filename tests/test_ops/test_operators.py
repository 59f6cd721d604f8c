"""mmcv's operators against what a compiled mmcv computed, and against their equations."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from mmcv import ops
from torch import Tensor

import mmpixcon_ops
from mmpixcon_ops import boxes, convolution, focal_loss, pooling
from tests.helpers.operator_cases import CASES, read_golden

pytestmark = pytest.mark.torch_versions

FALLBACK_ONLY = pytest.mark.skipif(
    mmpixcon_ops.operators() == 'mmcv', reason='mmcv is compiled in this environment'
)


@pytest.mark.parametrize('name', CASES)
def test_as_compiled(name: str) -> None:
    inputs, expected = read_golden(name)
    outputs = CASES[name][1](inputs)
    assert outputs.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(outputs[key], value, rtol=1e-5, atol=1e-5, msg=key)


def test_golden_cases_are_not_trivial() -> None:
    _, expected = read_golden('nms')
    assert 0 < len(expected['kept']) < 60
    _, agnostic = read_golden('batched NMS, class-agnostic')
    assert len(agnostic['kept']) < len(read_golden('batched NMS')[1]['kept'])
    _, groups = read_golden('NMS-match')
    assert groups['sizes'].max() > 1 and groups['sizes'].sum() == 40


def test_nms_compares_as_float32() -> None:
    """An IoU of exactly float32(0.6) is not above a threshold of 0.6."""
    x = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 6]])
    assert boxes.nms(x, torch.tensor([0.9, 0.8]), 0.6, 0).tolist() == [0, 1]
    assert boxes.nms(x, torch.tensor([0.9, 0.8]), 0.59, 0).tolist() == [0]


@pytest.mark.parametrize('dtype', [torch.float64, torch.float16, torch.bfloat16])
def test_nms_of_other_types(dtype: torch.dtype) -> None:
    inputs, expected = read_golden('nms')
    kept = boxes.nms(inputs['boxes'].to(dtype), inputs['scores'].to(dtype), 0.3, 0)
    # Rounded boxes may overlap differently; the best one stays in any case.
    assert kept[0] == expected['kept'][0]
    assert kept.dtype == torch.long


def roi_pool_by_cells(maps: Tensor, rois: Tensor, size: tuple[int, int], scale: float) -> Tensor:
    """RoIPool cell by cell, as mmcv's CUDA kernel bounds the bins."""
    out = maps.new_zeros(len(rois), maps.shape[1], *size)
    limits = maps.shape[2:]
    for r, (image, x1, y1, x2, y2) in enumerate(rois.tolist()):
        starts, ends = (y1 * scale, x1 * scale), ((y2 + 1) * scale, (x2 + 1) * scale)
        for i in range(size[0]):
            for j in range(size[1]):
                spans = []
                for start, end, k, n, limit in zip(starts, ends, (i, j), size, limits):
                    step = (end - start) / n
                    low = min(max(int(torch.floor(torch.tensor(k * step + start))), 0), limit)
                    high = min(max(int(torch.ceil(torch.tensor((k + 1) * step + start))), 0), limit)
                    spans.append(slice(low, high))
                cells = maps[int(image), :, spans[0], spans[1]].flatten(1)
                if cells.numel() and all(e > s for s, e in zip(starts, ends)):
                    out[r, :, i, j] = cells.max(dim=1)[0]
    return out


@FALLBACK_ONLY
@pytest.mark.parametrize('number', [0, 15])
def test_roi_pool(number: int) -> None:
    maps = torch.randn(2, 3, 14, 17)
    corner = torch.rand(number, 2) * 60 - 8
    rois = torch.cat(
        [torch.arange(number)[:, None] % 2, corner, corner + torch.rand(number, 2) * 40 - 2], dim=1
    )
    results = []
    for function in (
        lambda x: ops.roi_pool(x, rois, (3, 4), 0.25),
        lambda x: roi_pool_by_cells(x, rois, (3, 4), 0.25),
    ):
        x = maps.clone().requires_grad_()
        output = function(x)
        # The maps themselves take part, so that there is a gradient without regions too.
        factors = torch.linspace(-1, 1, output.numel()).view_as(output)
        ((output * factors).sum() + x.sum()).backward()
        results.append((output.detach(), x.grad))
    for fast, plain in zip(*results):
        torch.testing.assert_close(fast, plain)


def test_roi_align_with_maximum_is_refused() -> None:
    with pytest.raises(NotImplementedError, match=r"pool_mode='max'.*make env MMCV=compiled"):
        pooling.roi_align_forward(*[torch.zeros(1)] * 5, 1, 1, 1.0, 0, 0, True)


@FALLBACK_ONLY
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype) -> None:
    """The CPU's operators refuse these types on the CPU; the result is that of float32, rounded."""
    inputs, _ = read_golden('RoIAlign')
    maps, rois = inputs['maps'].to(dtype), inputs['rois'].to(dtype)
    layer = ops.RoIAlign((3, 4), 0.25)
    torch.testing.assert_close(layer(maps, rois), layer(maps.float(), rois.float()).to(dtype))
    x = {k: v.to(dtype) for k, v in read_golden('modulated deformable convolution')[0].items()}
    results = [
        ops.modulated_deform_conv2d(
            *(x[k].to(kind) for k in ('maps', 'offset', 'mask', 'weight')), None, 1, 1, 1, 1, 1
        ).to(dtype)
        for kind in (dtype, torch.float32)
    ]
    torch.testing.assert_close(*results)


def test_gradient_of_weights_alone() -> None:
    inputs, expected = read_golden('deformable convolution')
    weight = inputs['weight'].requires_grad_()
    output = ops.deform_conv2d(inputs['maps'], inputs['offset'], weight, 1, 1, 1, 1, 1)
    factors = torch.linspace(-1, 1, output.numel()).view_as(output)
    (output * factors).sum().backward()
    torch.testing.assert_close(weight.grad, expected['grad_weight'], rtol=1e-5, atol=1e-5)


def test_deformable_convolution_computes_gradients_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    gradients = convolution._gradients
    monkeypatch.setattr(
        convolution, '_gradients', lambda *args: calls.append(1) or gradients(*args)
    )
    inputs, _ = read_golden('deformable convolution')
    x = {k: v.requires_grad_() for k, v in inputs.items()}
    output = ops.deform_conv2d(x['maps'], x['offset'], x['weight'], 1, 1, 1, 1, 1)
    output.sum().backward()
    if mmpixcon_ops.operators() == 'mmpixcon_ops':
        assert len(calls) == 1


@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('number', [0, 50])
def test_sigmoid_focal_loss(number: int, weighted: bool) -> None:
    logits = torch.randn(number, 4, dtype=torch.float64) * 3
    target = torch.randint(0, 5 - weighted, (number,))
    weight = torch.rand(4, dtype=torch.float64) if weighted else logits.new_empty(0)
    # Equation 5, a class at a time.
    x = logits.clone().requires_grad_()
    p = x.sigmoid()
    is_class = F.one_hot(target, 5)[:, :4].bool()
    plain = torch.where(is_class, -0.25 * (1 - p) ** 2 * p.log(), -0.75 * p**2 * (1 - p).log())
    if weighted:
        plain = plain * weight[target][:, None]
    plain.sum().backward()
    loss, gradient = torch.zeros_like(logits), torch.zeros_like(logits)
    focal_loss.sigmoid_focal_loss_forward(logits, target, weight, loss, 2.0, 0.25)
    focal_loss.sigmoid_focal_loss_backward(logits, target, weight, gradient, 2.0, 0.25)
    torch.testing.assert_close(loss, plain.detach(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(gradient, x.grad, rtol=1e-9, atol=1e-12)


def test_weight_of_background_is_one() -> None:
    logits, target = torch.randn(6, 4), torch.full((6,), 4)
    losses = [torch.zeros(6, 4) for _ in range(2)]
    focal_loss.sigmoid_focal_loss_forward(logits, target, torch.rand(4), losses[0], 2.0, 0.25)
    focal_loss.sigmoid_focal_loss_forward(logits, target, torch.empty(0), losses[1], 2.0, 0.25)
    assert torch.equal(*losses)


@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('number', [0, 50])
def test_softmax_focal_loss(number: int, weighted: bool) -> None:
    logits = torch.randn(number, 4, dtype=torch.float64)
    target = torch.randint(-1, 4, (number,))
    weight = torch.rand(4, dtype=torch.float64) if weighted else logits.new_empty(0)
    x = logits.clone().requires_grad_()
    chosen = target >= 0
    p = x.softmax(dim=1)[chosen].gather(1, target[chosen][:, None])[:, 0]
    part = -0.25 * (1 - p) ** 2 * p.log() * (weight[target[chosen]] if weighted else 1)
    plain = torch.zeros(number, dtype=torch.float64).index_put((chosen.nonzero()[:, 0],), part)
    plain.sum().backward()
    softmax = logits.softmax(dim=1)
    loss, gradient = torch.zeros(number, dtype=torch.float64), torch.zeros_like(logits)
    focal_loss.softmax_focal_loss_forward(softmax, target, weight, loss, 2.0, 0.25)
    focal_loss.softmax_focal_loss_backward(
        softmax, target, weight, torch.zeros(number), gradient, 2.0, 0.25
    )
    torch.testing.assert_close(loss, plain.detach(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(gradient, x.grad, rtol=1e-9, atol=1e-12)


def test_a_logit_of_minus_infinity_gives_numbers() -> None:
    softmax = torch.tensor([[0.0, 1.0]])
    loss, gradient = torch.zeros(1), torch.zeros(1, 2)
    arguments = (softmax, torch.tensor([0]), torch.empty(0))
    focal_loss.softmax_focal_loss_forward(*arguments, loss, 2.0, 0.25)
    focal_loss.softmax_focal_loss_backward(*arguments, torch.zeros(1), gradient, 2.0, 0.25)
    assert loss.item() == pytest.approx(0.25 * 87.3365, rel=1e-4)
    assert gradient.isfinite().all()


def test_gamma_below_one_and_certainty_gives_numbers() -> None:
    """With gamma 0 the loss is cross entropy, whose gradient at p = 1 is 0."""
    softmax, gradient = torch.tensor([[1.0, 0.0]]), torch.full((1, 2), 9.0)
    arguments = (softmax, torch.tensor([0]), torch.empty(0), torch.zeros(1))
    for gamma in (0.0, 0.5, 1.0):
        focal_loss.softmax_focal_loss_backward(*arguments, gradient, gamma, 1.0)
        torch.testing.assert_close(gradient, torch.zeros(1, 2))


def without_mmpixcon(code: str) -> str:
    """Run Python code in a process of its own, and return what it printed."""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@FALLBACK_ONLY
def test_other_operators_raise_when_called() -> None:
    with pytest.raises(NotImplementedError, match=r"'box_iou_rotated'.*compiled mmcv.*mmcv-lite"):
        ops.box_iou_rotated(torch.zeros(1, 5), torch.zeros(1, 5))
    extension = __import__('mmcv._ext', fromlist=['_'])
    assert not hasattr(extension, '__path__')


@FALLBACK_ONLY
def test_which_operators_run_is_said() -> None:
    assert mmpixcon_ops.operators() == 'mmpixcon_ops'
    sentence = mmpixcon_ops.describe_operators()
    assert 'torchvision' in sentence and 'deformable attention' in sentence
    assert 'mmpixcon_ops' in ops.get_compiler_version()


def test_a_compiled_module_wins(tmp_path) -> None:
    """Another ``mmcv._ext`` on the path is found before the finder of this package."""
    package = tmp_path / 'mmcv'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / '_ext.py').write_text('nms = "compiled"')
    code = (
        f'import sys; sys.path.insert(0, {str(tmp_path)!r})\n'
        'import mmpixcon_ops; from mmcv import _ext; print(_ext.nms, mmpixcon_ops.operators())'
    )
    assert without_mmpixcon(code) == 'compiled mmcv'


def test_installing_twice_changes_nothing() -> None:
    before = list(sys.meta_path)
    mmpixcon_ops.install()
    assert sys.meta_path == before
    assert sys.meta_path.count(mmpixcon_ops.OperatorFinder) == 1


def test_the_package_imports_nothing_heavy() -> None:
    """It is read at each start of Python."""
    code = (
        'import sys; before = set(sys.modules); import mmpixcon_ops\n'
        'print(sorted(set(sys.modules) - before))'
    )
    assert set(ast.literal_eval(without_mmpixcon(code))) <= {'__future__', 'mmpixcon_ops'}
