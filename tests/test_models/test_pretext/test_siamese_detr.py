"""Siamese DETR against its equations, view by view."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from lightly.loss import NegativeCosineSimilarity
from mmengine.registry import init_default_scope

from mmpixcon.models.pretext.siamese_detr import jitter_boxes, level_means
from tests.helpers.processes import in_two_processes
from tests.helpers.region_models import inputs, pairs_of, pretext, quiet, total

HEAD = dict(type='mmpixcon.SiameseDETRHead')


def by_view(model, images, samples):
    """L_r and L_g from their equations: one view at a time, one region at a time."""
    views = []
    for view in ('view1', 'view2'):
        maps = model.backbone_maps(images[view])
        boxes = [sample.gt_instances.bboxes for sample in samples[view]]
        z = model.object_features(maps, boxes)
        p = model.crop_features(samples[view]).unflatten(0, (2, 4))
        views.append(dict(maps=maps, z=z, p=p, samples=samples[view]))
    region, contexts, detection = 0.0, [], []
    for own, other in (views, views[::-1]):
        # Queries with the other view's regions look into this view.
        queries = model.head.queries(other['z'], model.detector.num_queries)
        position = model.detector.query_embedding.weight + queries
        feats = model.detector.neck(own['maps'])
        encoder_inputs, decoder_inputs = model.detector.pre_transformer(feats, own['samples'])
        memory = model.detector.forward_encoder(**encoder_inputs)['memory']
        decoder_inputs.update(memory=memory, query=torch.zeros_like(position), query_pos=position)
        head_inputs = model.detector.forward_decoder(**decoder_inputs)
        losses, states, matching = model.detection_losses(head_inputs, own['samples'])
        detection.append(losses)
        layers = []
        for layer, matched in enumerate(pairs_of(matching, own['samples'])):
            distance = 0.0
            for image, (query, box) in enumerate(matched):
                for q, b in zip(query, box):
                    predicted = F.normalize(
                        model.head.feature_embed(states[layer, image, q]), dim=0
                    )
                    reference = F.normalize(other['p'][image, b], dim=0)
                    distance = distance + (predicted - reference).square().sum()
            layers.append(distance / 8)
        region = region + model.head.loss_region.loss_weight * torch.stack(layers) / 2
        mask = encoder_inputs['feat_mask']
        contexts.append(
            torch.stack([one[~hidden].mean(0) for one, hidden in zip(memory, mask.bool())])
        )
    return region, contexts, detection


@pytest.fixture
def default_dtype(request):
    """What mmdet makes position encodings in."""
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ('default_dtype', 'limit'),
    [(torch.float64, 1e-9), (torch.float32, 1e-5)],
    indirect=['default_dtype'],
)
def test_losses_by_definition(default_dtype, limit):
    dtype = default_dtype
    # Conditional DETR embeds its references in float32 only.
    model = quiet(pretext('SiameseDETR', 'DETR', box_jitter=0.0)).to(dtype)
    images, samples = inputs('SiameseDETR')
    images = {view: image.to(dtype) for view, image in images.items()}
    for sample in [*samples['view1'], *samples['view2']]:
        sample.gt_instances.bboxes = sample.gt_instances.bboxes.to(dtype)
    # uint8 crops become float32 in mmdet's preprocessor.
    crops = model.crop_features
    model.crop_features = lambda batch: crops(batch).to(dtype)
    if dtype == torch.float64:
        preprocess = model.data_preprocessor.data_preprocessor.forward
        model.data_preprocessor.data_preprocessor.forward = lambda data, training: {
            'inputs': preprocess(data, training)['inputs'].double()
        }
    fast = model.loss(images, samples)
    parts = [parameter for parameter in model.parameters() if parameter.requires_grad]
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]

    head = copy.deepcopy(model.head)
    region, contexts, detection = by_view(model, images, samples)
    last = len(region) - 1
    for layer, reference in enumerate(region):
        prefix = '' if layer == last else f'd{layer}.'
        torch.testing.assert_close(
            fast[f'{prefix}loss_region'], reference, atol=limit * 10, rtol=limit
        )
    for name in detection[0]:
        reference = (detection[0][name] + detection[1][name]) / 2
        # mmdet adds float32's epsilon to what it divides by: 16 regions here, 8 there.
        torch.testing.assert_close(fast[name], reference, atol=limit * 10, rtol=limit + 1e-8)
    # L_g from an independent implementation; projector and predictor in the same order.
    z = [head.projector((context,))[0] for context in contexts]
    p = [head.predictor((projected,))[0] for projected in z]
    cosine = NegativeCosineSimilarity()
    reference = 10.0 * (2 + cosine(p[0], z[1].detach()) + cosine(p[1], z[0].detach()))
    torch.testing.assert_close(fast['loss_global'], reference, atol=limit * 100, rtol=limit * 10)

    slow = region.sum() + sum((detection[0][k] + detection[1][k]) / 2 for k in detection[0])
    local = sum(v for k, v in fast.items() if 'loss' in k and k != 'loss_global')
    quick = torch.autograd.grad(local, parts, allow_unused=True)
    dense = torch.autograd.grad(slow, parts, allow_unused=True)
    for name, a, b in zip(names, quick, dense):
        if a is None:
            assert b is None and name.startswith(('head.projector', 'head.predictor')), name
            continue
        scale = max(b.abs().max().item(), 1.0)
        assert (a - b).abs().max().item() < (limit * 10 + 1e-8) * scale, name


def test_regions_are_looked_for_in_the_other_view():
    stacked = torch.arange(4)[:, None]
    head = pretext('SiameseDETR').head
    assert head.swap_views(stacked).tolist() == [[2], [3], [0], [1]]
    single = pretext('SiameseDETR', head=dict(HEAD, multi_view=False)).head
    assert single.swap_views(stacked).tolist() == [[0], [1], [2], [3]]


@pytest.mark.parametrize('multi_view', [True, False])
def test_where_the_queries_come_from(multi_view):
    head = dict(HEAD, global_weight=0.0, multi_view=multi_view, target='object')
    model = quiet(pretext('SiameseDETR', head=head, box_jitter=0.0)).eval()
    seen = []
    model.detector.decoder.layers[0].register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs['query_pos']), with_kwargs=True
    )
    images, samples = inputs('SiameseDETR')
    model.loss(images, samples)
    samples['view1'][0].gt_instances.bboxes = samples['view1'][0].gt_instances.bboxes + 9
    model.loss(images, samples)
    changed = (seen[0] != seen[1]).flatten(1).any(1).tolist()
    # Of view 1's first image: the queries that look into view 2's, or into its own.
    assert changed == [not multi_view, False, multi_view, False]


@pytest.mark.slow
def test_ablations_of_table_3():
    images, samples = inputs('SiameseDETR', crops=0)
    names = {}
    for name, head in {
        'a': dict(HEAD, region_weight=0.0, global_weight=0.0),
        'b': dict(HEAD, region_weight=0.0),
        'c': dict(HEAD, target='object', global_weight=0.0),
    }.items():
        model = pretext('SiameseDETR', head=head)
        losses = model.loss(images, samples)
        names[name] = {key for key in losses if 'region' in key or 'global' in key}
        total(losses).backward()
        assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    share = {'own_region_share'}
    assert names['a'] == share
    assert names['b'] == {'loss_global', 'global_std'} | share
    assert names['c'] == {'loss_region', 'd0.loss_region', 'd1.loss_region'} | share
    with pytest.raises(ValueError, match='RegionCrops'):
        pretext('SiameseDETR').loss(images, samples)


def test_object_target_is_the_queries_feature():
    model = quiet(pretext('SiameseDETR', head=dict(HEAD, target='object'), box_jitter=0.0))
    reference = []
    head = model.head
    head.reconstruction = lambda states, matching, targets, count: reference.append(targets) or {}
    images, samples = inputs('SiameseDETR', crops=0)
    model.loss(images, samples)
    for i, view in ((0, 'view2'), (2, 'view1')):
        boxes = [sample.gt_instances.bboxes for sample in samples[view]]
        z = model.object_features(model.backbone_maps(images[view]), boxes)
        actual = reference[0].unflatten(0, (4, 4))
        torch.testing.assert_close(actual[i : i + 2], z)


def test_box_jitter():
    boxes = torch.tensor([[10.0, 10.0, 50.0, 30.0], [0.0, 0.0, 96.0, 64.0]]).repeat(200, 1)
    limits = torch.tensor([96.0, 64.0, 96.0, 64.0])
    moved = jitter_boxes(boxes, limits, 0.1)
    off = (moved - boxes).abs()
    assert (off[:, [0, 2]] < 0.1 * 96).all() and (off[:, [1, 3]] < 0.1 * 64).all()
    assert (off[::2, [0, 2]] < 4).all() and (off[::2, [1, 3]] < 2).all()
    assert off[::2].amax() > 2.5
    assert moved.min() >= 0 and (moved[:, 2] <= 96).all() and (moved[:, 3] <= 64).all()
    # Symmetric about nothing.
    assert (moved - boxes)[::2].mean(0).abs().max() < 0.3
    assert torch.equal(jitter_boxes(boxes, limits, 0.0), boxes)


def test_levels_are_averaged_apart_and_without_padding():
    memory = torch.randn(2, 7, 3)
    # Levels of 4, 2 and 1 cells; the last is the neck's own.
    padding = torch.tensor([[False] * 7, [False, True, False, True, True, True, False]])
    means = level_means(memory, padding, (4, 2, 1), num_levels=2)
    torch.testing.assert_close(means[0], torch.cat([memory[0, :4].mean(0), memory[0, 4:6].mean(0)]))
    torch.testing.assert_close(means[1], torch.cat([memory[1, [0, 2]].mean(0), torch.zeros(3)]))
    whole = level_means(memory, None, (7,), num_levels=1)
    torch.testing.assert_close(whole, memory.mean(1))


def in_process(rank, port, path):
    """A process with one of the two images; its gradients are averaged as DDP does."""
    dist.init_process_group('gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    torch.set_num_threads(1)
    init_default_scope('mmdet')
    model = two_process_model()
    state, expected = torch.load(path)
    model.load_state_dict(state)
    images, samples = inputs('SiameseDETR')
    losses = model.loss(
        {view: image[rank : rank + 1] for view, image in images.items()},
        {view: batch[rank : rank + 1] for view, batch in samples.items()},
    )
    total(losses).backward()
    worst = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            dist.all_reduce(parameter.grad)
            scale = expected[name].abs().max().clamp(min=1)
            worst[name] = ((parameter.grad / 2 - expected[name]).abs().max() / scale).item()
    dist.destroy_process_group()
    assert max(worst.values()) < 1e-4, max(worst, key=worst.get)


def two_process_model():
    head = dict(HEAD, global_weight=0.0)
    return quiet(pretext('SiameseDETR', head=head, box_jitter=0.0))


@pytest.mark.slow
def test_two_processes_are_one(tmp_path):
    model = two_process_model()
    total(model.loss(*inputs('SiameseDETR'))).backward()
    expected = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
    torch.save((model.state_dict(), expected), tmp_path / 'one.pth')
    in_two_processes(in_process, str(tmp_path / 'one.pth'))


def test_bad_input():
    with pytest.raises(ValueError, match="target = 'box': choose one of"):
        pretext('SiameseDETR', head=dict(HEAD, target='box'))
    with pytest.raises(ValueError, match='global_weight = -1 must not be negative'):
        pretext('SiameseDETR', head=dict(HEAD, global_weight=-1))
    with pytest.raises(ValueError, match=r'box_jitter = 0.5 must be in \[0, 0.5\)'):
        pretext('SiameseDETR', box_jitter=0.5)
    model = pretext('SiameseDETR')
    images, samples = inputs('SiameseDETR')
    with pytest.raises(ValueError, match='takes two views: put IoUConstrainedViews'):
        model.loss(images['view1'], samples['view1'])
    with pytest.raises(ValueError, match='they must be the same'):
        model.loss(dict(images, view2=images['view2'][..., :64]), samples)
    with pytest.raises(ValueError, match=r'needs two images a process: set .*batch_size=2'):
        model.loss(*inputs('SiameseDETR', counts=(4,)))
