"""The pixel losses against the dense equations, in value and gradient."""

from __future__ import annotations

import pytest
import torch

from mmpixcon.models.geometry import PixelPairs, ViewGrid
from mmpixcon.models.losses import PixelCosineLoss, PixelNCELoss
from mmpixcon.models.losses.reference import pixel_cosine, pixel_nce
from tests.helpers.cells import dense_masks, random_case

pytestmark = pytest.mark.torch_versions


def value_and_grad(loss, query):
    (grad,) = torch.autograd.grad(loss, query)
    return loss.detach(), grad


def mean_over_images(fn, query, key, pairs, *args):
    return torch.stack([fn(*image, *args) for image in zip(query, key, pairs)]).mean()


@pytest.mark.parametrize(('dtype', 'tol'), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize('seed', range(8))
def test_losses_match_the_dense_equations(seed, dtype, tol):
    query, key, pairs = random_case(seed, dtype)
    for tau in (0.3, 0.02):
        got = value_and_grad(PixelNCELoss(tau)(query, key, pairs), query)
        want = value_and_grad(mean_over_images(pixel_nce, query, key, pairs, tau), query)
        torch.testing.assert_close(got, want, atol=tol, rtol=tol * max(1, 0.3 / tau))
    got = value_and_grad(PixelCosineLoss()(query, key, pairs), query)
    want = value_and_grad(mean_over_images(pixel_cosine, query, key, pairs), query)
    torch.testing.assert_close(got, want, atol=tol, rtol=tol)


@pytest.mark.parametrize('seed', range(4))
def test_blocks_of_any_size_give_the_dense_mask(seed):
    _, _, pairs = random_case(seed, torch.float32)
    anchors_seen = 0
    for pair in pairs:
        positive, _, anchors, th = dense_masks(pair)
        assert pair.threshold == pytest.approx(th, rel=1e-12)
        for size in (1, 300, 1 << 21):
            mask = torch.zeros_like(positive)
            for block in pair.blocks(size):
                rows = mask[block.anchors].view(-1, *pair.key.map_shape)
                rows[:, block.rows, block.cols] = block.positive
                mask[block.anchors] = rows.flatten(1)
                assert torch.equal(block.count, block.positive.flatten(1).sum(1))
            assert torch.equal(mask.any(1), anchors)
            assert torch.equal(mask[anchors], positive[anchors])
        anchors_seen += int(anchors.sum())
    assert anchors_seen > 0


def test_no_overlap_is_a_zero_that_stays_in_the_graph():
    query, key, pairs = random_case(0, torch.float32)
    for loss_fn in (PixelNCELoss(), PixelCosineLoss()):
        loss = loss_fn(query[2:], key[2:], pairs[2:])
        assert loss.item() == 0
        (grad,) = torch.autograd.grad(loss, query)
        assert torch.count_nonzero(grad) == 0


def test_an_image_of_padding_only_adds_zero():
    query, key, pairs = random_case(1, torch.float32)
    view = pairs[0].key
    empty = ViewGrid(view.homography, view.map_shape, view.input_shape, (0, 0))
    pair = PixelPairs(pairs[0].query, empty)
    assert pair.threshold == 0
    for loss_fn in (PixelNCELoss(), PixelCosineLoss()):
        assert loss_fn(query[:1], key[:1], [pair]).item() == 0


def test_all_pairs_positive_has_zero_nce_and_finite_gradient():
    query, key, pairs = random_case(2, torch.float64)
    pair = PixelPairs(pairs[0].query, pairs[0].key, S=1e-3)
    loss, grad = value_and_grad(PixelNCELoss(0.01)(query[:1], key[:1], [pair]), query)
    assert loss.item() == 0
    assert torch.count_nonzero(grad) == 0


def test_zero_and_tiny_features_match_the_dense_equations():
    query, key, pairs = random_case(3, torch.float64)
    with torch.no_grad():
        query[:, :, 0] = 0
        query[:, :, 1] *= 1e-8
        key[:, :, 0] = 0
    for loss_fn, dense, args in (
        (PixelNCELoss(0.3), pixel_nce, (0.3,)),
        (PixelCosineLoss(), pixel_cosine, ()),
    ):
        got = value_and_grad(loss_fn(query, key, pairs), query)
        want = value_and_grad(mean_over_images(dense, query, key, pairs, *args), query)
        torch.testing.assert_close(got, want, atol=1e-9, rtol=1e-9)


def test_keys_take_no_gradient_and_half_is_computed_in_float32():
    query, key, pairs = random_case(4, torch.float32)
    key.requires_grad_()
    for loss_fn in (PixelNCELoss(), PixelCosineLoss()):
        loss = loss_fn(query, key, pairs)
        assert torch.autograd.grad(loss, key, allow_unused=True) == (None,)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            assert torch.equal(loss_fn(query, key, pairs), loss)
        half = loss_fn(query.bfloat16(), key.bfloat16(), pairs)
        assert half.dtype == torch.float32


def test_bad_input_is_named():
    query, key, pairs = random_case(5, torch.float32)
    with pytest.raises(ValueError, match='one PixelPairs an image'):
        PixelCosineLoss()(query, key, pairs[:2])
    with pytest.raises(ValueError, match='do not fit'):
        PixelNCELoss()(query[..., :-1], key, pairs)
    with pytest.raises(ValueError, match='temperature'):
        PixelNCELoss(0)
    with pytest.raises(ValueError, match='mean distance'):
        PixelPairs(pairs[0].query, pairs[0].key, S=0)
    with pytest.raises(ValueError, match='not invertible'):
        ViewGrid(torch.zeros(3, 3), (2, 2), (8, 8), (8, 8))
