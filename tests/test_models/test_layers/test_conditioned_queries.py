"""Features reach the queries that they are meant for, and hidden queries nothing."""

from __future__ import annotations

import pytest
import torch

from mmpixcon.models.layers import conditioned_queries, num_matching_queries
from mmpixcon.registry import MODELS
from tests.helpers.region_models import VARIANTS, detector, pretext, samples

ONE_STAGE_DEFORMABLE = ('single-scale Deformable DETR', 'multi-scale Deformable DETR')
POSITION = ('DETR', 'Conditional DETR', *ONE_STAGE_DEFORMABLE)


def arguments(model, maps, batch):
    """What the decoder is called with."""
    seen = {}
    handle = model.detector.decoder.register_forward_pre_hook(
        lambda module, args, kwargs: seen.update(kwargs), with_kwargs=True
    )
    torch.manual_seed(1)
    model.decode(maps, batch)
    handle.remove()
    return seen


@pytest.mark.slow
@pytest.mark.parametrize('variant', VARIANTS)
def test_only_object_queries_change(variant):
    model, batch = pretext('DETReg', variant), samples()
    maps = model.backbone_maps(torch.randn(2, 3, 64, 96))
    before = arguments(model, maps, batch)
    features = torch.randn(2, 20, 256)
    with conditioned_queries(model.detector, features):
        after = arguments(model, maps, batch)
    changed = 'query_pos' if variant in POSITION else 'query'
    # Where one-stage Deformable DETR begins to look depends on the features.
    moved = 'reference_points' if variant in ONE_STAGE_DEFORMABLE else None
    if moved:
        points = model.detector.reference_points_fc(after[changed]).sigmoid()
        assert torch.equal(after[moved], points) and not torch.equal(after[moved], before[moved])
    assert before.keys() == after.keys()
    for name, value in before.items():
        if isinstance(value, torch.Tensor) and name != changed and name != moved:
            assert torch.equal(value, after[name]), name
    count = num_matching_queries(model.detector)
    front = before[changed].shape[1] - count
    assert (front > 0) == (variant in ('DINO', 'DN-DETR', 'DN-Deformable-DETR'))
    added = after[changed] - before[changed]
    assert not added[:, :front].any()
    copies = added[:, front:].unflatten(1, (count // 20, 20))
    torch.testing.assert_close(copies, features[:, None].expand_as(copies))
    # And nothing stays behind.
    again = arguments(model, maps, batch)
    assert torch.equal(again[changed], before[changed])
    assert moved is None or torch.equal(again[moved], before[moved])


@pytest.mark.parametrize('variant', ONE_STAGE_DEFORMABLE)
def test_boxes_are_read_from_the_moved_references(variant):
    model, batch = pretext('DETReg', variant), samples()
    maps = model.backbone_maps(torch.randn(2, 3, 64, 96))
    features = torch.randn(2, 20, 256, requires_grad=True)
    with conditioned_queries(model.detector, features):
        head_inputs, _ = model.decode(maps, batch)
    references = head_inputs['references'][0]
    position = model.detector.query_embedding.weight[:, :256] + features
    expected = model.detector.reference_points_fc(position).sigmoid()
    torch.testing.assert_close(references, expected)
    (gradient,) = torch.autograd.grad(references.sum(), features)
    assert (gradient.abs().sum(2) > 0).all()


def test_patterns_multiply_queries():
    cfg = detector('DAB-DETR')
    assert num_matching_queries(MODELS.build(cfg)) == 20
    cfg.num_patterns = 3
    assert num_matching_queries(MODELS.build(cfg)) == 60


@pytest.mark.slow
@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('groups', [2, 10])
def test_a_query_sees_its_group_only(variant, groups):
    # 10 groups of 2: where the released mask has queries that see nothing.
    model, batch = pretext('DETReg', variant), samples()
    model.detector.eval()
    maps = model.backbone_maps(torch.randn(2, 3, 64, 96))
    group = torch.arange(20) // (20 // groups)
    features = torch.zeros(2, 20, 256, requires_grad=True)
    with conditioned_queries(model.detector, features, group[:, None] != group[None]):
        head_inputs, _ = model.decode(maps, batch)
    states = head_inputs['hidden_states'][-1]
    assert states.isfinite().all()
    chosen = states[:, -20:][:, group == 1]
    (gradient,) = torch.autograd.grad((chosen * torch.randn_like(chosen)).sum(), features)
    reached = gradient.abs().sum((0, 2)) > 0
    assert torch.equal(reached, group == 1)


def test_without_a_mask_all_see_all():
    model, batch = pretext('DETReg'), samples()
    model.detector.eval()
    features = torch.zeros(2, 20, 256, requires_grad=True)
    with conditioned_queries(model.detector, features):
        head_inputs, _ = model.decode(model.backbone_maps(torch.randn(2, 3, 64, 96)), batch)
    states = head_inputs['hidden_states'][-1][:, 3]
    (gradient,) = torch.autograd.grad((states * torch.randn_like(states)).sum(), features)
    assert (gradient.abs().sum((0, 2)) > 0).all()
