"""Queries that may only be matched to the region whose feature they got."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from mmpixcon.models.capture import recorded_calls
from mmpixcon.models.pretext.regions import own_region_share
from mmpixcon.models.task_modules.batched_costs import batched_costs
from tests.helpers.region_models import inputs, pretext, quiet, total


def losses_and_matching(model, batch, data_samples, seed=3):
    """What the model logs, the last call of its matching and what that gave."""
    torch.manual_seed(seed)
    with recorded_calls(model.detector.bbox_head, 'match') as calls:
        losses = model.loss(batch, data_samples)
    return losses, calls


@pytest.mark.parametrize('method', ['SiameseDETR', 'UPDETR'])
@pytest.mark.parametrize(
    'variant', ['DETR', 'single-scale Deformable DETR', 'two-stage Deformable DETR', 'DN-DETR']
)
def test_every_layer_is_matched_by_definition(method, variant):
    model = quiet(pretext(method, variant, match_own_region=True))
    batch, data_samples = inputs(method)
    losses, calls = losses_and_matching(model, batch, data_samples)
    regions = model.region_of_query
    *_, instances, _, only = calls[0].args
    assert torch.equal(only, regions) and regions.tolist() == [q // 5 for q in range(20)]
    costs = batched_costs(model.detector.bbox_head.assigner.match_costs, *calls[0].args[:-1])
    matching = calls[0].output
    for layer, (query, box) in enumerate(zip(matching.query, matching.box)):
        matched = list(zip(query.view(len(instances), -1), box.view(len(instances), -1)))
        for image, (queries, found) in enumerate(matched):
            assert found.sort().values.tolist() == [0, 1, 2, 3]
            assert torch.equal(regions[queries], found)
            for q, region in zip(queries, found):
                own = costs[layer, image, regions == region, region]
                assert costs[layer, image, q, region] == own.min()
    # The encoder's proposals of two stages are matched freely.
    assert all(call.args[5] is None for call in calls[1:-1])
    assert sum(loss.isfinite().all() for loss in map(torch.as_tensor, losses.values())) == len(
        losses
    )
    total(losses).backward()


@pytest.mark.parametrize('method', ['SiameseDETR', 'UPDETR'])
def test_the_share_is_that_of_a_free_matching(method):
    model = quiet(pretext(method, 'DETR', match_own_region=True))
    batch, data_samples = inputs(method)
    restricted, calls = losses_and_matching(model, batch, data_samples)
    model.match_own_region = False
    free, free_calls = losses_and_matching(model, batch, data_samples)
    assert len(calls) == 2 and len(free_calls) == 1
    assert restricted['own_region_share'] == free['own_region_share'] < 1
    assert own_region_share(calls[0].output, model.region_of_query) == 1
    # Each is as cheap as SciPy finds it for the last layer.
    scores, boxes, *others, _ = free_calls[0].args
    costs = batched_costs(
        model.detector.bbox_head.assigner.match_costs, scores[-1:], boxes[-1:], *others
    )[0]
    actual = calls[1].output
    for image, cost in enumerate(costs):
        query, box = linear_sum_assignment(cost.numpy())
        part = slice(4 * image, 4 * image + 4)
        assert actual.query[0, part].tolist() == query.tolist()
        assert actual.box[0, part].tolist() == box.tolist()
    assert restricted['loss_bbox'] > free['loss_bbox']


@pytest.mark.parametrize('method', ['SiameseDETR', 'UPDETR'])
def test_shuffled_queries_keep_their_regions(method):
    model = quiet(pretext(method, 'DETR', match_own_region=True, shuffle=True))
    _, calls = losses_and_matching(model, *inputs(method))
    only = calls[0].args[5]
    assert only.tolist() != model.region_of_query.tolist()
    assert only.sort().values.tolist() == model.region_of_query.tolist()
    for query, box in zip(calls[0].output.query, calls[0].output.box):
        assert torch.equal(only[query], box)
    # Nothing is left of it.
    assert model.detector.bbox_head.box_of_query is None
