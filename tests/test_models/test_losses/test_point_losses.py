"""PLRC's losses against their plain versions."""

from __future__ import annotations

import pytest
import torch

from mmpixcon.models.losses import PointAffinityLoss, PointRegionContrastLoss, affinities
from mmpixcon.models.losses.reference import point_affinity_distillation, point_region_contrast
from tests.helpers.points import CHANNELS, random_case, unit

pytestmark = pytest.mark.torch_versions


def value_and_grad(loss, points):
    (grad,) = torch.autograd.grad(loss, points)
    return loss.detach(), grad


def check(ours, reference, dtype, tol, *inputs):
    points = inputs[0].to(dtype).requires_grad_()
    others = [x.to(dtype) if x is not None and x.is_floating_point() else x for x in inputs[1:]]
    got = value_and_grad(ours(points, *others), points)
    exact = inputs[0].clone().requires_grad_()
    want = [x.to(dtype) for x in value_and_grad(reference(exact), exact)]
    torch.testing.assert_close(got, tuple(want), rtol=tol, atol=tol)
    return got


@pytest.mark.parametrize(('dtype', 'tol'), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize('negatives', ['image', 'batch'])
@pytest.mark.parametrize('seed', range(4))
def test_contrast_is_equation_2(seed, negatives, dtype, tol, monkeypatch):
    monkeypatch.setattr(affinities, 'BLOCK_ELEMENTS', 50)
    points, keys, _, _, positive, _, pool, valid = random_case(seed, negatives)
    loss, grad = check(
        PointRegionContrastLoss(0.3),
        lambda p: point_region_contrast(p, keys, positive, pool, valid, 0.3),
        dtype,
        tol,
        points,
        keys,
        positive,
        pool,
        valid,
    )
    if seed == 0:
        assert loss == 0 and torch.count_nonzero(grad) == 0
    else:
        assert loss > 0 and torch.count_nonzero(grad) > 0
        # Nothing for points without a positive.
        assert torch.count_nonzero(grad[~positive.any(2)]) == 0


def distill(loss_fn):
    """The loss alone."""
    return lambda *inputs: loss_fn(*inputs)['loss_affinity']


def distillation_case(seed, negatives):
    """Points beside keys that are the momentum encoder's own, i' among them.

    Returns:
        tuple: points, momentum, is_point, pool, valid and self_index, as the loss takes them.
    """
    points, _, momentum, regions, *_ = random_case(seed, negatives)
    batch, count = points.shape[:2]
    # Where an image has points, both views have some.
    regions[~(regions >= 0).any(2).all(1)] = -1
    is_point = regions[:, 0] >= 0
    if negatives == 'image':
        return points, momentum, is_point, momentum, is_point, torch.arange(count).repeat(batch, 1)
    index = torch.arange(batch * count).view(batch, count)
    return points, momentum, is_point, momentum.flatten(0, 1)[None], is_point.flatten()[None], index


@pytest.mark.parametrize(('dtype', 'tol'), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize('negatives', ['image', 'batch'])
@pytest.mark.parametrize(
    ('strategy', 'exclude_self'), [(1, False), (2, False), (3, False), (1, True), (2, True)]
)
@pytest.mark.parametrize('seed', range(3))
def test_distillation_is_equation_4(
    seed, strategy, exclude_self, negatives, dtype, tol, monkeypatch
):
    monkeypatch.setattr(affinities, 'BLOCK_ELEMENTS', 50)
    points, momentum, is_point, pool, valid, index = distillation_case(seed, negatives)
    left_out = index if exclude_self else None
    loss, grad = check(
        distill(PointAffinityLoss(strategy, 0.2, 0.4, exclude_self)),
        lambda p: point_affinity_distillation(
            *((p, momentum) if strategy == 2 else (momentum, p)),
            *(is_point, pool, valid, 0.2, 0.4, left_out),
        ),
        dtype,
        tol,
        *(points, momentum, is_point, pool, valid, index),
    )
    assert (grad[is_point] != 0).any(1).all() and torch.count_nonzero(grad[~is_point]) == 0
    assert (loss > 0) == is_point.any()


@pytest.mark.parametrize('negatives', ['image', 'batch'])
def test_teachers_weight_on_itself(negatives):
    points, momentum, is_point, pool, valid, index = distillation_case(1, negatives)
    inputs = (points, momentum, is_point, pool, valid, index)
    logits = (momentum @ pool.mT / 0.07).masked_fill(~valid[:, None], -torch.inf)
    weights = logits.softmax(2).gather(2, index[..., None])[..., 0]
    actual = PointAffinityLoss()(*inputs)['teacher_self_weight']
    torch.testing.assert_close(actual, weights[is_point].mean(), rtol=1e-12, atol=0)
    assert not actual.requires_grad
    # The others have no such key, or leave it out.
    for loss_fn in (
        PointAffinityLoss(2),
        PointAffinityLoss(3),
        PointAffinityLoss(1, exclude_self=True),
    ):
        assert set(loss_fn(*inputs)) == {'loss_affinity'}
    # Far from all other keys, the teacher sees itself alone: L_a is L_c with one positive.
    apart = torch.eye(6, dtype=torch.float64)[None]
    is_point = torch.ones(1, 6, dtype=torch.bool)
    losses = PointAffinityLoss()(apart, apart, is_point, apart, is_point)
    assert losses['teacher_self_weight'] > 0.99999
    contrast = PointRegionContrastLoss()(apart, apart, is_point.diag_embed(), apart, is_point)
    torch.testing.assert_close(losses['loss_affinity'], contrast, rtol=0, atol=1e-4)


def test_a_point_without_other_keys_counts_with_0():
    points, momentum = unit(1, 1, CHANNELS).requires_grad_(), unit(1, 1, CHANNELS)
    is_point, index = torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1, dtype=torch.int64)
    loss_fn = distill(PointAffinityLoss(exclude_self=True))
    loss, grad = value_and_grad(
        loss_fn(points, momentum, is_point, momentum, is_point, index), points
    )
    assert loss == 0 and torch.count_nonzero(grad) == 0


def test_distillation_is_least_for_the_teachers_own_affinities():
    points, _, momentum, *_ = random_case(1, 'batch')
    pool, valid = unit(1, 40, CHANNELS), torch.ones(1, 40, dtype=torch.bool)
    is_point = torch.ones(points.shape[:2], dtype=torch.bool)
    loss_fn = distill(PointAffinityLoss(1, 0.1, 0.1))
    same = momentum.clone().requires_grad_()
    loss, grad = value_and_grad(loss_fn(same, momentum, is_point, pool, valid), same)
    assert loss < loss_fn(points, momentum, is_point, pool, valid)
    assert grad.abs().max() < 1e-12


@pytest.mark.parametrize('strategy', [1, 2, 3])
def test_denominators_formed_before_change_nothing(strategy):
    points, keys, momentum, _, positive, _, pool, valid = random_case(1, 'batch')
    points.requires_grad_()
    contrast_fn, affinity_fn = PointRegionContrastLoss(0.1), PointAffinityLoss(strategy)
    affinity, is_point = distill(affinity_fn), positive.any(2)
    loss = contrast_fn(points, keys, positive, pool, valid)
    loss = loss + affinity(points, momentum, is_point, pool, valid)
    apart = value_and_grad(loss, points)
    terms = affinity_fn.terms(points, momentum, pool, valid)
    log_z = terms.log_z
    if affinity_fn.log_z_temperature is None:
        log_z = affinities.log_partition(points, pool, valid, 0.1)
    loss = contrast_fn(points, keys, positive, pool, valid, log_z)
    loss = loss + affinity(points, momentum, is_point, pool, valid, None, terms)
    torch.testing.assert_close(value_and_grad(loss, points), apart, rtol=1e-12, atol=1e-12)
    assert affinity_fn.log_z_temperature == (None if strategy == 2 else 0.1)


def test_low_temperatures_and_far_apart_keys_do_not_overflow():
    points = unit(1, 3, CHANNELS).float().requires_grad_()
    pool, positive = points.detach().clone(), torch.eye(3, dtype=torch.bool)[None]
    valid = torch.ones(1, 3, dtype=torch.bool)
    for loss in (
        PointRegionContrastLoss(1e-3)(points, -pool, positive, -pool, valid),
        distill(PointAffinityLoss(2, 1e-3, 1e-3))(points, -pool, valid, -pool, valid),
    ):
        value, grad = value_and_grad(loss, points)
        assert value.isfinite() and grad.isfinite().all()


def test_keys_take_no_gradient_and_half_is_computed_in_float32():
    points, keys, _, _, positive, _, pool, valid = random_case(2, 'batch')
    points, keys, pool = (x.float() for x in (points, keys, pool))
    points.requires_grad_()
    keys.requires_grad_()
    is_point = positive.any(2)
    affinity_fn = distill(PointAffinityLoss())
    for loss_fn, third in ((PointRegionContrastLoss(), positive), (affinity_fn, is_point)):
        loss = loss_fn(points, keys, third, pool, valid)
        assert torch.autograd.grad(loss, keys, allow_unused=True, retain_graph=True) == (None,)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            assert torch.equal(loss_fn(points, keys, third, pool, valid), loss)
        half = loss_fn(points.bfloat16(), keys.bfloat16(), third, pool.bfloat16(), valid)
        assert half.dtype == torch.float32


def test_memory_grows_with_points_not_with_their_square(monkeypatch):
    monkeypatch.setattr(affinities, 'BLOCK_ELEMENTS', 1 << 20)
    # The whole matrix has 2048 ** 2 elements, several blocks.
    points = unit(1, 2048, 2).requires_grad_()
    valid = torch.ones(1, 2048, dtype=torch.bool)
    seen = []

    def note(x):
        seen.append(x.numel())
        return x

    pool = points.detach()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        (log_z,), (mean,) = affinities.affinities([points], pool, valid, [0.1])
        (log_z.sum() + mean.sum()).backward()
    assert max(seen) <= 2048 * 2
    assert points.grad.isfinite().all()


def test_bad_input_is_named():
    points, keys, _, _, positive, _, pool, valid = random_case(1, 'batch')
    with pytest.raises(ValueError, match=r'point_loss.temperature must be positive, got 0'):
        PointRegionContrastLoss(0)
    with pytest.raises(ValueError, match=r'affinity_loss.strategy = 4: choose 1, 2 or 3'):
        PointAffinityLoss(4)
    with pytest.raises(ValueError, match=r'student_temperature = -1 must be positive'):
        PointAffinityLoss(1, 0.1, -1)
    with pytest.raises(ValueError, match=r'exclude_self = True has no effect with strategy = 3'):
        PointAffinityLoss(3, exclude_self=True)
    with pytest.raises(ValueError, match=r'exclude_self = True needs self_index'):
        PointAffinityLoss(exclude_self=True)(points, keys, positive.any(2), pool, valid)
    with pytest.raises(ValueError, match=r'positive has shape \(4, 6, 5\)'):
        PointRegionContrastLoss()(points, keys, positive[..., 1:], pool, valid)
    with pytest.raises(ValueError, match=r'pool \(N or 1, M, C\)'):
        PointRegionContrastLoss()(points, keys, positive, pool[..., 1:], valid)
    with pytest.raises(ValueError, match='do not fit'):
        PointAffinityLoss()(points, keys[:, 1:], positive.any(2), pool, valid)
