"""Multi-scale deformable attention: Triton's kernels by its interpreter, and the PyTorch path.

Triton decides when it is imported whether it compiles kernels or interprets them on the CPU, and
then for its own functions too; in a process of tests something else may have imported it before.
What is to be interpreted runs in another process therefore, started once with the environment
variable set, which takes one check after the other. It is spawned, not forked, to start clean.
"""

from __future__ import annotations

import contextlib
import sys
import types
import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

import mmpixcon_ops.deformable_attention as operators
from mmpixcon_ops.deformable_attention import (
    MultiScaleDeformableAttnFunction,
    ms_deform_attn_backward,
    ms_deform_attn_forward,
)
from tests.helpers.configs import ROOT
from tests.helpers.interpreter import interpreting
from tests.helpers.processes import run_tool

pytestmark = pytest.mark.torch_versions

# Uneven, one of a single cell.
SHAPES = ((4, 7), (3, 2), (1, 1), (2, 5))


def make_inputs(
    shapes: tuple[tuple[int, int], ...] = SHAPES,
    batch: int = 2,
    queries: int = 5,
    heads: int = 2,
    dims: int = 8,
    points: int = 2,
) -> list[Tensor]:
    """Value, shapes, starts, locations, of which some are outside, and weights."""
    generator = torch.Generator().manual_seed(queries * 1000 + dims)
    spatial = torch.tensor(shapes)
    cells = spatial.prod(1)
    starts = cells.cumsum(0) - cells
    value = torch.randn(batch, int(cells.sum()), heads, dims, generator=generator)
    size = (batch, queries, heads, len(shapes), points)
    locations = torch.rand(*size, 2, generator=generator) * 1.6 - 0.3
    weights = torch.randn(size, generator=generator)
    return [value, spatial, starts, locations, weights]


def make_gradient(value: Tensor, locations: Tensor) -> Tensor:
    """A gradient of the output."""
    batch, _, heads, dims = value.shape
    generator = torch.Generator().manual_seed(7)
    return torch.randn(batch, locations.shape[1], heads * dims, generator=generator)


def by_pytorch(inputs: list[Tensor], grad_output: Tensor) -> tuple[Tensor, ...]:
    """Output and the three gradients by mmcv's PyTorch version, in float64."""
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    value, spatial, _, locations, weights = inputs
    leaves = [tensor.double().requires_grad_() for tensor in (value, locations, weights)]
    output = multi_scale_deformable_attn_pytorch(leaves[0], spatial, *leaves[1:])
    return output.detach(), *torch.autograd.grad(output, leaves, grad_output.double())


def assert_near(actual: Tensor, expected: Tensor, rounding: float = 0.0) -> None:
    """Equal up to 1e-5 of the largest, and up to a rounding of each."""
    assert actual.shape == expected.shape
    error = (actual.double() - expected).abs()
    allowed = 1e-5 * expected.abs().max() + rounding * expected.abs()
    assert (error <= allowed).all(), (error.max(), expected.abs().max())


# What follows runs in the process that interprets.


@contextlib.contextmanager
def vectors(added: bool, wide: bool = False) -> Iterator[types.ModuleType]:
    """The kernels, as if the card added neighboring floats by one instruction, or not.

    If ``wide``, offsets have 64 bits, as if one image had 2**31 elements.
    """
    from mmpixcon_ops import deformable_attention_triton as kernels

    sizes = kernels._sizes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, '_adds_vectors', lambda device: added)
        if wide:
            patch.setattr(kernels, '_sizes', lambda *args: {**sizes(*args), 'WIDE': True})
        yield kernels


def check_float32(vector: bool, sizes: dict, wide: bool = False) -> None:
    inputs = make_inputs(**sizes)
    grad_output = make_gradient(inputs[0], inputs[3])
    expected = by_pytorch(inputs, grad_output)
    grads = [torch.zeros_like(inputs[i]) for i in (0, 3, 4)]
    with vectors(vector, wide) as kernels:
        output = kernels.forward(*inputs)
        kernels.backward(*inputs, grad_output, *grads)
    for actual, reference in zip((output, *grads), expected):
        assert actual.dtype == torch.float32
        assert_near(actual, reference)


def check_types(value_type: torch.dtype, sample_type: torch.dtype) -> None:
    # Thirds and fifths: no location in 16 bits is exactly one cell outside, where PyTorch differs.
    inputs = make_inputs(shapes=((3, 5), (3, 3)))
    inputs[0] = inputs[0].to(value_type)
    inputs[3:] = [tensor.to(sample_type) for tensor in inputs[3:]]
    grad_output = make_gradient(inputs[0], inputs[3]).to(value_type)
    # Of the same rounded inputs: what differs is the last rounding only.
    expected = by_pytorch(inputs, grad_output)
    grads = [torch.zeros_like(inputs[i]) for i in (0, 3, 4)]
    with vectors(True) as kernels:
        output = kernels.forward(*inputs)
        kernels.backward(*inputs, grad_output, *grads)
    for name, actual, reference in zip(
        ('output', 'value', 'x', 'weight'), (output, *grads), expected
    ):
        assert actual.dtype == (value_type if name in ('output', 'value') else sample_type)
        eps = torch.finfo(actual.dtype).eps
        # Half a unit in the last place; a whole one where the interpreter makes bfloat16,
        # which it cuts off. PyTorch makes the values' gradient, of the float32 sums.
        cut = actual.dtype == torch.bfloat16 and name != 'value'
        assert_near(actual, reference, eps if cut else eps / 2)


def check_centers() -> None:
    # Sides of powers of two: the centers are exact numbers in float32, and x = cell in both.
    spatial = ((4, 8), (2, 1))
    inputs = make_inputs(spatial, batch=1, queries=8, points=4)
    for level, (height, width) in enumerate(spatial):
        size = inputs[3][:, :, :, level].shape[:-1]
        generator = torch.Generator().manual_seed(1)
        x = (torch.randint(0, width, size, generator=generator) + 0.5) / width
        y = (torch.randint(0, height, size, generator=generator) + 0.5) / height
        inputs[3][:, :, :, level] = torch.stack((x, y), -1)
    value, _, starts, locations, weights = inputs
    grad_output = make_gradient(value, locations)
    grads = [torch.zeros_like(tensor) for tensor in (value, locations, weights)]
    with vectors(True) as kernels:
        output = kernels.forward(*inputs)
        kernels.backward(*inputs, grad_output, *grads)
    for actual, reference in zip((output, *grads), by_pytorch(inputs, grad_output)):
        assert_near(actual, reference)
    # And by hand: the weighted sum of the cells themselves.
    total = torch.zeros(1, 8, 2, 8)
    for level, (height, width) in enumerate(spatial):
        cell = (locations[:, :, :, level] * torch.tensor([width, height])).long()
        key = starts[level] + cell[..., 1] * width + cell[..., 0]
        for head in range(2):
            picked = value[0, key[0, :, head], head]
            total[0, :, head] += (picked * weights[0, :, head, level][..., None]).sum(1)
    assert_near(output, total.flatten(2).double())


def check_borders() -> None:
    """Half a cell outside, just less than one, exactly one, and far: the last two count nothing."""
    inputs = make_inputs(((4, 8),), batch=1, queries=6, heads=1, points=2)
    value, _, _, locations, weights = inputs
    inside = torch.tensor([0.4, 0.6])
    far, nan = float('inf'), float('nan')
    cell = torch.tensor([1 / 8, 1 / 4])
    for query, outside in enumerate((0.0, 0.49, 0.5, 1e6, far, nan)):
        # To the left of the map, and below it.
        locations[0, query, 0, 0, 0] = torch.stack((-outside * cell[0], inside[1]))
        locations[0, query, 0, 0, 1] = torch.stack((inside[0], 1 + outside * cell[1]))
    weights[0, 4:] = far
    grad_output = make_gradient(value, locations)
    grads = [torch.zeros_like(tensor) for tensor in (value, locations, weights)]
    with vectors(True) as kernels:
        output = kernels.forward(*inputs)
        kernels.backward(*inputs, grad_output, *grads)
    for actual in (output, grads[1], grads[2]):
        assert (actual[:, 2:] == 0).all()
        assert (actual[:, :2] != 0).all()
    # PyTorch agrees on what is less than one cell outside. Exactly one, it has a gradient by
    # the location, though the sample is zero; the compiled operator has none, as here.
    inner = [value, *inputs[1:3], locations[:, :2], weights[:, :2]]
    expected = by_pytorch(inner, grad_output[:, :2])
    for actual, reference in zip(
        (output[:, :2], grads[0], grads[1][:, :2], grads[2][:, :2]), expected
    ):
        assert_near(actual, reference)


def check_wanted_only() -> None:
    """Gradients that are None are left out, and the others are the same."""
    inputs = make_inputs(((3, 5),), batch=1)
    grad_output = make_gradient(inputs[0], inputs[3])
    expected = by_pytorch(inputs, grad_output)[1:]
    for reference in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)):
        grads = [
            torch.zeros_like(inputs[i]) if want else None for i, want in zip((0, 3, 4), reference)
        ]
        before = [tensor.clone() for tensor in inputs]
        with vectors(True) as kernels:
            kernels.backward(*inputs, grad_output, *grads)
        for actual, right in zip(grads, expected):
            if actual is not None:
                assert_near(actual, right)
        # What stands in for an unwanted one is not written to.
        assert all(torch.equal(*pair) for pair in zip(before, inputs))


def check_in_place() -> None:
    """Into contiguous views, around which nothing changes, and into others; from any strides."""
    inputs = make_inputs(((3, 5),), batch=2, queries=3)
    grad_output = make_gradient(inputs[0], inputs[3])
    expected = by_pytorch(inputs, grad_output)[1:]
    holders = [torch.full((4, *inputs[i].shape[1:]), 9.0) for i in (0, 3, 4)]
    views = [holder[1:3] for holder in holders]
    views[0].zero_()
    strided = [
        torch.zeros_like(inputs[i].transpose(0, 1).contiguous()).transpose(0, 1) for i in (0, 3, 4)
    ]
    # Not contiguous either: every other image of twice as many.
    spread = [
        torch.stack((tensor, tensor + 1), 1)[:, 0] if tensor.is_floating_point() else tensor
        for tensor in inputs
    ]
    spread_grad = torch.stack((grad_output, grad_output), 1)[:, 0]
    assert not spread[0].is_contiguous() and not strided[0].is_contiguous()
    with vectors(True) as kernels:
        kernels.backward(*inputs, grad_output, *views)
        kernels.backward(*spread, spread_grad, *strided)
        output = kernels.forward(*spread)
    assert_near(output, by_pytorch(inputs, grad_output)[0])
    for holder, view, other, reference in zip(holders, views, strided, expected):
        assert_near(view, reference)
        assert_near(other, reference)
        assert (holder[0] == 9).all() and (holder[3] == 9).all()


def check_empty() -> None:
    """No queries, images, levels or points: nothing is launched, and gradients are zero."""
    for sizes in (dict(queries=0), dict(batch=0), dict(points=0)):
        inputs = make_inputs(**sizes)
        value, _, _, locations, weights = inputs
        grads = [torch.full_like(tensor, 3.0) for tensor in (value, locations, weights)]
        with vectors(True) as kernels, pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernels, '_launch', None)
            output = kernels.forward(*inputs)
            kernels.backward(*inputs, make_gradient(value, locations), *grads)
        assert output.shape == (value.shape[0], locations.shape[1], 16)
        assert (output == 0).all()
        assert all((grad == 0).all() for grad in grads)


def check_function(value_type: torch.dtype) -> None:
    """The function through the kernels equals itself through PyTorch, gradients' types too."""
    inputs = make_inputs(((3, 5), (1, 2)), queries=3)
    inputs[0] = inputs[0].to(value_type)
    actual = []
    for through_kernels in (True, False):
        leaves = [inputs[i].clone().requires_grad_() for i in (0, 3, 4)]
        with vectors(True) as kernels, pytest.MonkeyPatch.context() as patch:
            chosen = kernels if through_kernels else None
            patch.setattr(operators, '_kernels', lambda *_, chosen=chosen: chosen)
            output = MultiScaleDeformableAttnFunction.apply(
                leaves[0], *inputs[1:3], *leaves[1:], 64
            )
            output.backward(make_gradient(inputs[0], inputs[3]).to(value_type))
        assert output.dtype == value_type
        assert [leaf.grad.dtype for leaf in leaves] == [value_type, torch.float32, torch.float32]
        actual.append([output.detach(), *(leaf.grad for leaf in leaves)])
    for ours, theirs in zip(*actual):
        eps = torch.finfo(theirs.dtype).eps
        assert_near(ours, theirs.double(), 0 if theirs.dtype == torch.float32 else eps)


# What follows runs in the process of the tests.


@pytest.fixture(scope='module')
def interpret() -> Iterator[Callable[..., None]]:
    """Runs a function of this module where Triton interprets."""
    with interpreting() as run:
        yield run


@pytest.mark.slow
@pytest.mark.parametrize(
    'vector, sizes',
    [
        (True, dict(dims=32, queries=11)),
        (True, dict(shapes=((5, 6),), dims=24, points=4, queries=19)),
        (True, dict(dims=8, points=4, heads=3, batch=1, queries=40)),
        # The results of a level need more room than the channels have.
        (True, dict(shapes=((3, 4),), dims=4, points=3)),
        # Wider than a warp.
        (True, dict(shapes=((2, 3),), dims=144, batch=1, queries=2)),
        # One element in a thread: blocks of two queries.
        (False, dict(dims=32, queries=3, batch=1)),
        # One query: Triton makes a constant of the number 1.
        (True, dict(shapes=((1, 1),), queries=1, points=1, heads=1)),
    ],
)
def test_kernels_equal_pytorch(interpret, vector, sizes):
    interpret(check_float32, vector, sizes)


def test_wide_offsets(interpret):
    interpret(check_float32, True, dict(shapes=((3, 4),), batch=1, heads=1), True)


@pytest.mark.parametrize('sample_type', ['same', 'float32'])
@pytest.mark.parametrize('value_type', [torch.bfloat16, torch.float16], ids=str)
def test_kernels_in_16_bits(interpret, value_type, sample_type):
    interpret(check_types, value_type, value_type if sample_type == 'same' else torch.float32)


@pytest.mark.parametrize(
    'check',
    [check_centers, check_borders, check_wanted_only, check_in_place, check_empty],
    ids=lambda check: check.__name__,
)
def test_kernels(interpret, check):
    interpret(check)


@pytest.mark.parametrize('value_type', [torch.float32, torch.bfloat16], ids=str)
def test_function_through_kernels(interpret, value_type):
    interpret(check_function, value_type)


def test_launches_do_not_wait_for_the_device(monkeypatch):
    """Tensors without data: whatever would read them raises; and what is launched at full size."""
    kernels = pytest.importorskip(
        'mmpixcon_ops.deformable_attention_triton', reason='Triton is for Linux only'
    )
    launched = []

    class Recorder:
        def __init__(self, name):
            self.name = name

        def __getitem__(self, grid):
            return lambda *arguments, **sizes: launched.append((self.name, grid, arguments, sizes))

    for name in ('forward', 'backward'):
        monkeypatch.setattr(kernels, f'_{name}_kernel', Recorder(name))
    monkeypatch.setattr(kernels, '_adds_vectors', lambda device: True)
    monkeypatch.setattr(operators, '_kernels', lambda *_: kernels)
    for method in ('item', 'cpu', 'tolist', 'numpy', 'nonzero', '__bool__', '__int__', '__index__'):
        monkeypatch.setattr(torch.Tensor, method, lambda *_, name=method: pytest.fail(name))
    with torch.device('meta'):
        value = torch.empty(2, 20197, 8, 32)
        samples = torch.empty(2, 20197, 8, 4, 4, 2), torch.empty(2, 20197, 8, 4, 4)
        levels = torch.empty(4, 2, dtype=torch.long), torch.empty(4, dtype=torch.long)
    for dtype, block in ((torch.float32, 8), (torch.bfloat16, 16)):
        launched.clear()
        leaf = value.detach().to(dtype).requires_grad_()
        output = MultiScaleDeformableAttnFunction.apply(leaf, *levels, *samples, 64)
        assert output.shape == (2, 20197, 256)
        output.backward(torch.empty_like(output))
        assert leaf.grad.shape == value.shape
        (_, grid, arguments, sizes), (_, back_grid, back_arguments, back_sizes) = launched
        assert grid == (8 * -(-20197 // block), 2)
        assert back_grid == (8 * 2525, 2)
        assert arguments[-2:] == back_arguments[-2:] == (20197, 20197)
        assert sizes == dict(HEADS=8, DIMS=32, LEVELS=4, POINTS=4, BLOCK_Q=block, BLOCK_D=32,
                             WIDE=False, num_warps=2)  # fmt: skip
        # No gradient is asked for by locations and weights here.
        assert back_sizes == {**sizes, 'BLOCK_Q': 8, 'OF_VALUE': True, 'OF_SAMPLES': False}
    samples[1].requires_grad_()
    output = MultiScaleDeformableAttnFunction.apply(value, *levels, *samples, 64)
    output.backward(torch.empty_like(output))
    assert samples[1].grad.shape == samples[1].shape
    assert launched[-1][-1] == {**back_sizes, 'OF_VALUE': False, 'OF_SAMPLES': True}


def test_dispatch(monkeypatch):
    """To the kernels on a GPU only, and only what they take and where they work."""
    kernels = pytest.importorskip(
        'mmpixcon_ops.deformable_attention_triton', reason='Triton is for Linux only'
    )

    def tensor(dtype=torch.float32, dims=32):
        return types.SimpleNamespace(
            is_cuda=True, device=torch.device('cuda', 0), dtype=dtype, shape=(2, 9, 8, dims)
        )

    monkeypatch.setattr(kernels, 'works_on', lambda device: True)
    for dtype in kernels.DTYPES:
        assert operators._kernels(tensor(dtype), tensor(), tensor(dtype)) is kernels
    assert operators._kernels(tensor(torch.float64), tensor(), tensor()) is None
    assert operators._kernels(tensor(), tensor(torch.float64), tensor()) is None
    assert operators._kernels(tensor(dims=257), tensor(), tensor()) is None
    assert operators._kernels(torch.zeros(2, 9, 8, 32), tensor(), tensor()) is None
    monkeypatch.setattr(kernels, 'works_on', lambda device: False)
    assert operators._kernels(tensor(), tensor(), tensor()) is None
    monkeypatch.setattr(operators, '_triton', lambda: None)
    assert operators._kernels(tensor(), tensor(), tensor()) is None


def test_triton_that_does_not_work_is_named_once():
    kernels = pytest.importorskip(
        'mmpixcon_ops.deformable_attention_triton', reason='Triton is for Linux only'
    )
    # There is no such card: to launch anything on it fails.
    device = torch.device('cuda', 99)
    with pytest.warns(UserWarning, match=r'Triton does not work on cuda:99.*PyTorch version: \w+'):
        assert not kernels.works_on(device)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert not kernels.works_on(device)
        assert not kernels.works_on(torch.device('cpu'))


def test_without_triton(monkeypatch):
    operators._triton.cache_clear()
    monkeypatch.setitem(sys.modules, 'mmpixcon_ops.deformable_attention_triton', None)
    assert operators._triton() is None
    operators._triton.cache_clear()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_on_the_cpu_it_is_mmcvs_version(dtype):
    """Bit for bit, forward and backward, by the operators and by the function; 16 bits in 32."""
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    inputs = [t.to(dtype) if t.is_floating_point() else t for t in make_inputs(dims=24)]
    leaves = [inputs[i].clone().requires_grad_() for i in (0, 3, 4)]
    exact = torch.promote_types(dtype, torch.float32)
    value, locations, weights = (leaf.to(exact) for leaf in leaves)
    expected = multi_scale_deformable_attn_pytorch(value, inputs[1], locations, weights).to(dtype)
    grad_output = make_gradient(inputs[0], inputs[3]).to(dtype)
    grads = torch.autograd.grad(expected, leaves, grad_output)

    output = ms_deform_attn_forward(*inputs, im2col_step=64)
    assert torch.equal(output, expected) and output.dtype == dtype
    actual = [torch.zeros_like(leaf) for leaf in leaves]
    assert ms_deform_attn_backward(*inputs, grad_output, *actual, im2col_step=64) is None
    output = MultiScaleDeformableAttnFunction.apply(leaves[0], *inputs[1:3], *leaves[1:], 64)
    assert torch.equal(output, expected)
    output.backward(grad_output)
    for ours, leaf, theirs in zip(actual, leaves, grads):
        assert ours.abs().max() > 0
        assert torch.equal(ours, theirs) and torch.equal(leaf.grad, theirs)


def test_gradients_in_float64():
    """Against differences, away from the cells' centers, where there is no derivative."""
    value, spatial, starts, locations, weights = make_inputs(((3, 4), (2, 2)), queries=2, dims=3)
    sizes = spatial.flip(1)[:, None].double()
    cells = (locations.double() * sizes - 0.5).clamp(-0.9, 3.9)
    cells = cells.floor() + 0.2 + 0.6 * (cells - cells.floor())
    leaves = [value.double(), (cells + 0.5) / sizes, weights.double()]
    leaves = [leaf.requires_grad_() for leaf in leaves]

    def attend(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return MultiScaleDeformableAttnFunction.apply(
            value, spatial, starts, locations, weights, 64
        )

    # Piecewise linear in each: central differences have no error but the last bits.
    assert torch.autograd.gradcheck(attend, leaves, eps=1e-3, atol=1e-9, rtol=1e-9)
    grad_output = make_gradient(value, locations).double()
    expected = by_pytorch([leaves[0], spatial, starts, *leaves[1:]], grad_output)
    output = attend(*leaves)
    actual = (output, *torch.autograd.grad(output, leaves, grad_output))
    for ours, theirs in zip(actual, expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_mixed_types_on_the_cpu():
    """Locations are not rounded to the type of the values, and gradients keep their types."""
    inputs = make_inputs(((3, 150),), heads=1)
    inputs[0] = inputs[0].bfloat16()
    leaves = [inputs[i].clone().requires_grad_() for i in (0, 3, 4)]
    output = MultiScaleDeformableAttnFunction.apply(leaves[0], *inputs[1:3], *leaves[1:], 64)
    grad_output = make_gradient(inputs[0], inputs[3]).bfloat16()
    output.backward(grad_output)
    expected = by_pytorch(inputs, grad_output)
    for actual, reference in zip((output, *(leaf.grad for leaf in leaves)), expected):
        half = torch.finfo(actual.dtype).eps / 2
        assert_near(actual, reference, half if actual.dtype == torch.bfloat16 else 0)
    assert [leaf.grad.dtype for leaf in leaves] == [torch.bfloat16, torch.float32, torch.float32]
    # Rounded locations, which mmcv's function has, are elsewhere by far.
    inputs[3] = inputs[3].bfloat16()
    rounded = by_pytorch(inputs, grad_output)[0]
    assert (rounded - expected[0]).abs().max() > 0.05 * expected[0].abs().max()


def test_autocast_changes_nothing():
    inputs = make_inputs()
    inputs[0] = inputs[0].bfloat16()
    expected = ms_deform_attn_forward(*inputs, 64)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(ms_deform_attn_forward(*inputs, 64), expected)


def test_only_gradients_that_are_needed():
    inputs = make_inputs()
    whole = by_pytorch(inputs, make_gradient(inputs[0], inputs[3]))
    for position in (0, 3, 4):
        arguments = [tensor.clone() for tensor in inputs]
        arguments[position].requires_grad_()
        output = MultiScaleDeformableAttnFunction.apply(*arguments, 64)
        output.backward(make_gradient(inputs[0], inputs[3]))
        assert_near(arguments[position].grad, whole[{0: 1, 3: 2, 4: 3}[position]])
        assert all(a.grad is None for i, a in enumerate(arguments) if i != position)


def test_operators_leave_no_graph_and_function_no_second_derivative():
    inputs = make_inputs()
    inputs[0].requires_grad_()
    assert not ms_deform_attn_forward(*inputs, 64).requires_grad
    output = MultiScaleDeformableAttnFunction.apply(*inputs, 64)
    (grad,) = torch.autograd.grad(output.square().sum(), inputs[0], create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        grad.sum().backward()


@pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has a GPU')
def test_benchmark_wants_a_gpu():
    status, out, err = run_tool(ROOT / 'tools' / 'benchmarks' / 'deformable_attention.py')
    assert (status, out) == (1, '')
    assert err == 'the kernels run on a GPU, and torch finds none\n'


def test_no_queries_on_the_cpu():
    inputs = make_inputs(queries=0)
    assert ms_deform_attn_forward(*inputs, 64).shape == (2, 0, 16)


@pytest.mark.parametrize(
    'position, shape, named',
    [
        (0, (2, 47, 16), 'value'),
        (1, (4, 3), 'value_spatial_shapes'),
        (2, (3,), 'value_level_start_index'),
        (3, (2, 5, 2, 4, 2, 3), 'sampling_locations'),
        (3, (2, 5, 3, 4, 2, 2), 'sampling_locations'),
        (4, (2, 5, 2, 4, 3), 'attention_weights'),
        (5, (2, 5, 17), 'grad_output'),
        (6, (2, 46, 2, 8), 'grad_value'),
        (7, (2, 5, 2, 4, 2), 'grad_sampling_loc'),
        (8, (2, 5, 2, 4, 3), 'grad_attn_weight'),
    ],
)
def test_shapes_that_do_not_fit(position, shape, named):
    inputs = make_inputs()
    arguments = [*inputs, make_gradient(inputs[0], inputs[3])]
    arguments += [torch.zeros_like(inputs[i]) for i in (0, 3, 4)]
    arguments[position] = torch.zeros(shape, dtype=arguments[position].dtype)
    with pytest.raises(ValueError, match=f'^{named} has to be '):
        ms_deform_attn_backward(*arguments, 64)
    if position < 5:
        with pytest.raises(ValueError, match=f'^{named} has to be '):
            ms_deform_attn_forward(*arguments[:5], 64)
