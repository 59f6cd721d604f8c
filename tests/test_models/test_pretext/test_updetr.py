"""UP-DETR: groups of queries, left-out features, and the loss by definition."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmpixcon.models.layers import conditioned_queries
from tests.helpers.region_models import inputs, pairs_of, pretext, quiet


@pytest.mark.parametrize(('num_queries', 'patches'), [(20, 4), (20, 10), (20, 20), (20, 1)])
def test_groups_of_neighbors(num_queries, patches):
    model = pretext('UPDETR', num_regions=patches, drop_prob=0.0)
    _, regions = model._group(torch.randn(2, num_queries, 3))
    each = num_queries // patches
    assert regions.tolist() == [query // each for query in range(num_queries)]


def test_shuffled_groups_stay_together():
    model = pretext('UPDETR', drop_prob=0.0, shuffle=True)
    added = torch.arange(4.0).repeat_interleave(5)[None, :, None].repeat(2, 1, 3)
    queries, regions = model._group(added)
    patch = queries[0, :, 0]
    assert sorted(patch.tolist()) == sorted(added[0, :, 0].tolist())
    assert patch.tolist() != added[0, :, 0].tolist()
    assert torch.equal(regions, patch.long())
    assert torch.equal(queries[0], queries[1])
    model.eval()
    assert torch.equal(model._group(added)[0], added)


def test_left_out_features():
    model = pretext('UPDETR', drop_prob=0.25)
    actual, _ = model._group(torch.ones(400, 20, 3))
    # All channels of a query or none; by query and image.
    assert torch.equal(actual.amin(2), actual.amax(2))
    assert actual[..., 0].mean().item() == pytest.approx(0.75, abs=0.02)
    by_query = actual[..., 0].mean(0)
    assert by_query.min() > 0.6 and by_query.max() < 0.9
    model.eval()
    assert model._group(torch.ones(4, 20, 3))[0].all()


def test_loss_by_definition():
    model = quiet(pretext('UPDETR', drop_prob=0.0))
    images, samples = inputs('UPDETR')
    fast = model.loss(images, samples)
    p = model.region_features(samples)
    assert p.shape[:2] == (2, 4)
    queries = model.head.region_embed(p).repeat_interleave(5, dim=1)
    group = torch.arange(20) // 5
    with conditioned_queries(model.detector, queries, group[:, None] != group):
        head_inputs, _ = model.decode(model.backbone_maps(images), samples)
    losses, states, matching = model.detection_losses(head_inputs, samples)
    for name, value in losses.items():
        torch.testing.assert_close(fast[name], value)
    matching = pairs_of(matching, samples)
    for layer, matched in enumerate(matching):
        expected = 0.0
        for image, (query, region) in enumerate(matched):
            assert len(query) == 4
            for q, r in zip(query, region):
                predicted = F.normalize(model.head.feature_embed(states[layer, image, q]), dim=0)
                expected += (predicted - F.normalize(p[image, r], dim=0)).square().sum()
        prefix = '' if layer == len(matching) - 1 else f'd{layer}.'
        torch.testing.assert_close(fast[f'{prefix}loss_region'], expected / 8)


def test_bad_input():
    with pytest.raises(ValueError, match=r'drop_prob = 1 must be in \[0, 1\)'):
        pretext('UPDETR', drop_prob=1)
