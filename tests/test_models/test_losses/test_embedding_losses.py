"""VICReg and Barlow Twins against their equations, and against other code."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import init_default_scope

from mmpixcon.models.heads import CrossCorrelationHead
from mmpixcon.models.losses import VICRegLoss
from mmpixcon.models.losses.reference import cross_correlation, vicreg
from mmpixcon.registry import MODELS

PRECISIONS = pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=['f64', 'f32']
)
# More images than dimensions, and fewer.
SHAPES = pytest.mark.parametrize('shape', [(9, 4), (5, 12), (2, 3)])


def embeddings(shape, dtype):
    scale = torch.rand(shape[1], dtype=dtype) * 2
    first = torch.randn(*shape, dtype=dtype) * scale + 0.5
    second = first + 0.3 * torch.randn(*shape, dtype=dtype)
    return first.requires_grad_(), second.detach().requires_grad_()


def compare(ours, expected, inputs, tolerance):
    torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance)
    for a, b in zip(torch.autograd.grad(ours, inputs), torch.autograd.grad(expected, inputs)):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=10 * tolerance)


@PRECISIONS
@SHAPES
def test_vicreg(shape, dtype, tolerance):
    pair = embeddings(shape, dtype)
    ours = VICRegLoss(20.0, 15.0, 2.0, 1e-3)(*pair)
    weights = (20.0, 15.0, 2.0)
    expected = [w * term for w, term in zip(weights, vicreg(*pair, 1e-3))]
    for value, name in zip(expected, ('invariance', 'variance', 'covariance')):
        torch.testing.assert_close(ours[f'loss_{name}'], value, rtol=tolerance, atol=tolerance)
    compare(sum(ours.values()), sum(expected), pair, tolerance)


@PRECISIONS
@SHAPES
def test_barlow_twins(shape, dtype, tolerance):
    pair = embeddings(shape, dtype)
    compare(CrossCorrelationHead()(*pair), cross_correlation(*pair, 0.0051, 1e-5), pair, tolerance)


@pytest.mark.parametrize('shape', [(16, 8), (8, 32)])
def test_vicreg_equals_an_independent_implementation(shape):
    from lightly.loss import VICRegLoss as Independent

    pair = embeddings(shape, torch.float64)
    compare(sum(VICRegLoss()(*pair).values()), Independent()(*pair), pair, 1e-9)


@pytest.mark.parametrize('shape', [(16, 8), (8, 32)])
def test_barlow_twins_equals_other_implementations_in_one_process(shape):
    from lightly.loss import BarlowTwinsLoss

    pair = embeddings(shape, torch.float64)
    init_default_scope('mmselfsup')
    stock = MODELS.build(
        dict(
            type='mmselfsup.LatentCrossCorrelationHead',
            in_channels=shape[1],
            loss=dict(type='mmselfsup.CrossCorrelationLoss', lambd=0.005),
        )
    ).double()
    ours = CrossCorrelationHead(lambd=0.005)(*pair)
    compare(ours, stock(*pair), pair, 1e-9)
    ours = CrossCorrelationHead(lambd=0.005)(*pair)
    compare(ours, BarlowTwinsLoss(lambda_param=0.005)(*pair), pair, 1e-9)


def test_constant_features_have_a_finite_loss_and_gradient():
    first = torch.ones(6, 4, requires_grad=True)
    second = torch.ones(6, 4)
    losses = VICRegLoss()(first, second)
    # A deviation of 0.01 in the place of 1.
    assert losses['loss_variance'].item() == pytest.approx(25 * 0.99)
    (gradient,) = torch.autograd.grad(sum(losses.values()), first)
    assert gradient.isfinite().all()
    loss = CrossCorrelationHead()(first, second)
    assert loss.item() == pytest.approx(4)
    (gradient,) = torch.autograd.grad(loss, first)
    assert gradient.isfinite().all()


def test_full_precision_under_autocast():
    first, second = embeddings((6, 10), torch.float32)
    for loss in (lambda a, b: sum(VICRegLoss()(a, b).values()), CrossCorrelationHead()):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            actual = loss(first, second)
        assert actual.dtype == torch.float32
        torch.testing.assert_close(actual, loss(first, second))


def test_bad_input():
    one = torch.randn(1, 4)
    for loss, name in ((VICRegLoss(), 'VICRegLoss'), (CrossCorrelationHead(), 'Cross')):
        with pytest.raises(ValueError, match=f'{name}.*two images or more, got 1.*batch_size'):
            loss(one, one)
        with pytest.raises(ValueError, match=r'got \(3, 4\) and \(3, 5\)'):
            loss(torch.randn(3, 4), torch.randn(3, 5))
    with pytest.raises(ValueError, match='variance = -1'):
        VICRegLoss(variance=-1)
    with pytest.raises(ValueError, match=r'head\.lambd = -1'):
        CrossCorrelationHead(lambd=-1)
