"""The plain versions of the losses against the papers' equations, term by term."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmpixcon.models.losses import reference
from tests.helpers import equations
from tests.helpers.cells import dense_masks, random_case
from tests.helpers.points import random_case as random_points


def equal(plain: torch.Tensor, expected: torch.Tensor, source: torch.Tensor) -> None:
    """Compare values and gradients."""
    torch.testing.assert_close(plain, expected, rtol=1e-9, atol=1e-9)
    gradients = [torch.autograd.grad(x, source, retain_graph=True)[0] for x in (plain, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('seed', range(4))
def test_pixels(seed):
    query, key, pairs = random_case(seed, torch.float64)
    for q, k, pair in zip(query, key, pairs):
        masks = dense_masks(pair)[:3]
        for plain, expected in zip(reference.pixel_masks(pair), masks):
            assert torch.equal(plain, expected)
        positive, negative, anchors = masks
        unit_q, unit_k = (F.normalize(x.flatten(1).T, dim=1, eps=1e-6) for x in (q, k))
        cos = nce = q.sum() * 0
        for i in anchors.nonzero()[:, 0].tolist():
            s = unit_k @ unit_q[i]
            cos = cos - s[positive[i]].mean() / anchors.sum()
            others = (s[negative[i]] / 0.3).exp().sum()
            terms = [-((p / 0.3).exp() / ((p / 0.3).exp() + others)).log() for p in s[positive[i]]]
            nce = nce + sum(terms) / len(terms) / anchors.sum()
        equal(reference.pixel_cosine(q, k, pair), cos, query)
        equal(reference.pixel_nce(q, k, pair, 0.3), nce, query)


def test_info_nce():
    query, key, bank = (torch.randn(n, 6, dtype=torch.float64) for n in (5, 5, 9))
    query.requires_grad_()
    plain = reference.info_nce(query, key, bank, 0.7)
    equal(plain, equations.info_nce(query, key, bank, 0.7), query)


@pytest.mark.parametrize('negatives', ['image', 'batch'])
@pytest.mark.parametrize('seed', range(3))
def test_points(seed, negatives):
    points, keys, momentum, regions, positive, pools, pool, valid = random_points(seed, negatives)
    points.requires_grad_()
    plain = reference.point_region_contrast(points, keys, positive, pool, valid, 0.3)
    equal(plain, equations.point_region_contrast(points, keys, regions, pools, 0.3), points)
    # Where an image has points, both views have some.
    regions[~(regions >= 0).any(2).all(1)] = -1
    is_point = regions[:, 0] >= 0
    for strategy in (1, 2):
        roles = (points, momentum) if strategy == 2 else (momentum, points)
        plain = reference.point_affinity_distillation(*roles, is_point, pool, valid, 0.2, 0.4)
        expected = equations.point_affinity_distillation(
            points, momentum, regions, pools, strategy, 0.2, 0.4
        )
        equal(plain, expected, points)


def test_embeddings():
    first = torch.randn(7, 4, dtype=torch.float64).requires_grad_()
    second = first.detach() + torch.randn(7, 4, dtype=torch.float64)
    equal(
        reference.cross_correlation(first, second, 0.01, 1e-5),
        equations.cross_correlation(first, second, 0.01, 1e-5),
        first,
    )
    plain = sum(reference.vicreg(first, second, 1e-3))
    equal(plain, sum(equations.vicreg(first, second, 1, 1, 1, 1e-3)), first)
