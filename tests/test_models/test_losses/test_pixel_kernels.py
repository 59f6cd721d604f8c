"""The pixel losses' Triton kernels, by its interpreter, beside the PyTorch version."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from mmpixcon.models.geometry import PairBatch, PixelPairs
from mmpixcon.models.losses import PixelCosineLoss, PixelNCELoss, pixel_cosine_loss, pixel_nce_loss
from mmpixcon.models.losses.pixel_kernels import kernels_for
from tests.helpers.cells import random_case
from tests.helpers.interpreter import interpreting

# What follows runs in the process that interprets.


def values_and_gradients(query, key, pairs):
    """Of both losses, L_NCE at two temperatures."""
    losses = [PixelCosineLoss(), PixelNCELoss(0.3), PixelNCELoss(0.02)]
    values = [loss(query, key, pairs) for loss in losses]
    return [(value.detach(), *torch.autograd.grad(value, query)) for value in values]


def by_kernels(query, key, pairs):
    from mmpixcon.models.losses import pixel_triton

    with pytest.MonkeyPatch.context() as patch:
        for module in (pixel_cosine_loss, pixel_nce_loss):
            patch.setattr(module, 'kernels_for', lambda features: pixel_triton)
        return values_and_gradients(query, key, pairs)


def check_random_geometry(seed: int, channels: int) -> None:
    query, key, pairs = random_case(seed, torch.float32, channels)
    ours, expected = by_kernels(query, key, pairs), values_and_gradients(query, key, pairs)
    for pair in zip(ours, expected):
        torch.testing.assert_close(*pair, atol=1e-5, rtol=1e-4)


def check_blocks() -> None:
    """Rows of similarities in several blocks, and anchors of which none has a positive."""
    query, key, pairs = random_case(1, torch.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixel_nce_loss, 'BLOCK_ELEMENTS', 2 * pairs[0].key.centres.shape[0])
        ours = by_kernels(query, key, pairs)
    for pair in zip(ours, values_and_gradients(query, key, pairs)):
        torch.testing.assert_close(*pair, atol=1e-5, rtol=1e-4)
    apart = by_kernels(query[2:], key[2:], pairs[2:])
    assert all(value == 0 and not gradient.any() for value, gradient in apart)


def check_all_positive() -> None:
    query, key, pairs = random_case(2, torch.float32)
    pair = PixelPairs(pairs[0].query, pairs[0].key, S=1e-3)
    (_, (value, gradient), *_) = by_kernels(query[:1], key[:1], [pair])
    assert value == 0 and not gradient.any()


def check_sums() -> None:
    from mmpixcon.models.losses import pixel_triton

    *_, pairs = random_case(3, torch.float32, 5)
    batch = PairBatch(pairs)
    features = torch.randn(3, batch.key.shape[1], 5)
    sums, count = pixel_triton.positive_sums(batch.query, batch.key, batch.threshold, features)
    near = torch.cdist(batch.query.nan_to_num(1e9), batch.key.nan_to_num(-1e9))
    near = (near <= batch.threshold[:, None, None]).float()
    torch.testing.assert_close(count, near.sum(2))
    torch.testing.assert_close(sums, near @ features)


# What follows runs in the process of the tests.


@pytest.fixture(scope='module')
def interpret() -> Iterator[Callable[..., None]]:
    """Runs a function of this module where Triton interprets."""
    with interpreting() as run:
        yield run


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(4))
def test_kernels_equal_pytorch(interpret, seed):
    interpret(check_random_geometry, seed, (7, 64, 65, 200)[seed])


@pytest.mark.slow
@pytest.mark.parametrize('check', [check_blocks, check_all_positive, check_sums])
def test_kernels(interpret, check):
    interpret(check)


def test_pytorch_on_a_cpu():
    assert kernels_for(torch.zeros(2, 3)) is None
