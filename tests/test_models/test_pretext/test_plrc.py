"""PLRC beside MoCo and beside its equations; strategies, skipped images, errors."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from mmselfsup.structures import SelfSupDataSample

from tests.helpers.pretext_models import (
    NECK,
    our_moco,
    plrc,
    samples,
    sgd,
    views,
)


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)


def test_without_points_it_is_moco():
    moco, ours = our_moco(), plrc(beta=0.0)
    ours.load_state_dict(moco.state_dict())
    optimizers = sgd(moco), sgd(ours)
    for _ in range(3):
        inputs = views()
        values = []
        for model, optimizer in zip((moco, ours), optimizers):
            loss = total(model.loss([x.clone() for x in inputs], samples()))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            values.append(loss)
        torch.testing.assert_close(*values, rtol=1e-12, atol=1e-12)
    state = ours.state_dict()
    for name, value in moco.state_dict().items():
        assert torch.equal(value, state[name]), name


@pytest.mark.parametrize(
    ('strategy', 'exclude_self'), [(1, False), (2, False), (3, False), (1, True), (2, True)]
)
def test_losses_are_equations_5_and_6(strategy, exclude_self, monkeypatch):
    model = plrc(alpha=0.3, beta=0.6, affinity_loss=dict(
        type='mmpixcon.PointAffinityLoss', strategy=strategy, exclude_self=exclude_self,
    ))  # fmt: skip
    drawn = []
    draw = model._draw
    monkeypatch.setattr(model, '_draw', lambda *args: drawn.append(draw(*args)) or drawn[-1])
    # Maps of 3 x 3.
    inputs = [torch.randn(4, 3, 96, 96).double() for _ in range(2)]
    apart = samples(apart=(1,), size=96)
    bank = model.banks['image'].keys.clone()
    average = model.momentum_encoder

    def upsampled(view, backbone, neck):
        """The MLP as 1 x 1 convolutions, then upsampled, (N, C, 8, 8)."""
        x = backbone(view)[-1]
        pooled = F.normalize(neck.mlp(x.mean((2, 3))), dim=1)
        for layer in (neck.mlp[0], neck.mlp[2]):
            x = F.conv2d(x, layer.weight[:, :, None, None], layer.bias)
            x = x.relu() if layer is neck.mlp[0] else x
        return pooled, F.interpolate(x, (8, 8), mode='bilinear', align_corners=False)

    with torch.no_grad():
        query, query_map = upsampled(inputs[0], model.backbone, model.neck)
        key, key_map = upsampled(inputs[1], average.backbone, average.neck)
        first_map = upsampled(inputs[0], average.backbone, average.neck)[1]
    losses = model.loss(inputs, apart)
    (pairs,) = drawn
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ bank.T], 1) / 0.2
    image = F.cross_entropy(logits, torch.zeros(4, dtype=torch.long))
    # Which of the 8 x 8 cells were drawn, from how they read the map.
    corners = torch.eye(9).view(9, 1, 3, 3)
    rows = F.interpolate(corners, (8, 8), mode='bilinear', align_corners=False).view(9, 64).T
    cells = [(w[:, :, None] == rows).all(3).int().argmax(2) for w in pairs.weights]
    points, keys, firsts = (
        F.normalize(x.flatten(2).mT.gather(1, c[..., None].expand(-1, -1, 8)), dim=2)
        for x, c in zip((query_map, key_map, first_map), (*cells, cells[0]))
    )
    assert all(len(c[0].unique()) > 3 for c in cells)
    there = [0, 2, 3]
    assert pairs.valid.tolist() == [True, False, True, True]
    pool = keys[there].flatten(0, 1)
    logits = points @ pool.T
    contrast = distillation = self_weight = 0
    for i in there:
        log_p = (logits[i] / 0.1).log_softmax(1)
        own = slice(12 * there.index(i), 12 * there.index(i) + 12)
        contrast -= log_p[:, own][pairs.positive[i]].mean() / 4
        other = (firsts if strategy == 3 else keys)[i] @ pool.T
        teacher, student = (logits[i], other) if strategy == 2 else (other, logits[i])
        if exclude_self:
            itself = torch.zeros_like(teacher, dtype=torch.bool)
            itself[:, own] = torch.eye(12, dtype=torch.bool)
            teacher, student = (x[~itself].view(12, -1) for x in (teacher, student))
        target = (teacher / 0.07).softmax(1)
        distillation -= (target * (student / 0.1).log_softmax(1)).sum(1).mean() / 4
        self_weight += target[:, own].diagonal().mean() / 3
    expected = dict(
        loss_image=0.4 * image,
        loss_contrast=0.6 * 0.3 * contrast,
        loss_affinity=0.6 * 0.7 * distillation,
    )
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-6, atol=1e-7)
    assert ('teacher_self_weight' in losses) == (strategy == 1 and not exclude_self)
    if 'teacher_self_weight' in losses:
        torch.testing.assert_close(losses['teacher_self_weight'], self_weight)
    assert losses['images_with_points'] == 0.75
    assert losses['regions_in_both_views'] == 0.75
    total(losses).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters() if p.requires_grad)


def test_all_images_skipped_leaves_the_image_loss():
    model, other = plrc(), plrc(beta=0.0)
    other.load_state_dict(model.state_dict())
    inputs = views()
    losses = model.loss([x.clone() for x in inputs], samples(apart=range(4)))
    assert losses['loss_contrast'] == 0 and losses['loss_affinity'] == 0
    assert losses['images_with_points'] == 0
    total(losses).backward()
    other_loss = total(other.loss(inputs, samples()))
    (0.3 * other_loss).backward()
    for ours, theirs in zip(model.parameters(), other.parameters()):
        if ours.requires_grad:
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-12)


def test_distillation_begins_after_the_warm_up():
    model = plrc(warmup_epochs=2)
    for epoch, names in enumerate([2, 2, 3, 3]):
        model.set_epoch(epoch)
        losses = model.loss(views(), samples())
        assert sum('loss' in name for name in losses) == names
    with pytest.raises(ValueError, match=r'warmup_epochs = 2, but nothing .*SetEpochInfoHook'):
        plrc(warmup_epochs=2).loss(views(), samples())
    # Without distillation there is nothing to wait for.
    assert 'loss_affinity' not in plrc(warmup_epochs=2, alpha=1.0).loss(views(), samples())
    assert 'loss_contrast' not in plrc(alpha=0.0).loss(views(), samples())


@pytest.mark.parametrize('negatives', ['image', 'batch', 'all'])
def test_negatives(negatives):
    model = plrc(negatives=negatives)
    keys = F.normalize(torch.randn(3, 5, 8).double(), dim=2)
    pool, valid, index = model._pool(keys, torch.tensor([True, False, True]))
    in_pool = pool.expand(3, -1, -1).gather(1, index[..., None].expand(-1, -1, 8))
    assert torch.equal(in_pool, keys)
    if negatives == 'image':
        assert pool.shape == (3, 5, 8) and valid.sum(1).tolist() == [5, 0, 5]
    else:
        assert torch.equal(pool[0], keys.flatten(0, 1))
        assert valid[0].tolist() == [True] * 5 + [False] * 5 + [True] * 5
    total(model.loss(views(), samples())).backward()


@pytest.mark.parametrize('kind', ['PooledRegions', 'NearbyPoints'])
def test_region_level_and_point_level(kind):
    model = plrc(alpha=1.0, sampler=dict(type=f'mmpixcon.{kind}', resolution=8))
    losses = model.loss(views(), samples())
    total(losses).backward()
    assert losses['loss_contrast'] > 0 and losses['images_with_points'] == 1
    with pytest.raises(ValueError, match=r'NearbyPoints draws unrelated .* model.alpha=1'):
        plrc(sampler=dict(type='mmpixcon.NearbyPoints'))
    plrc(
        sampler=dict(type='mmpixcon.NearbyPoints', resolution=8),
        affinity_loss=dict(type='mmpixcon.PointAffinityLoss', strategy=3),
    ).loss(views(), samples())


def test_autocast_forms_the_losses_in_full_precision():
    model = plrc().float()
    inputs = [x.float() for x in views()]
    torch.manual_seed(1)
    expected = copy.deepcopy(model).loss(inputs, samples())
    torch.manual_seed(1)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model.loss(inputs, samples())
    for name, value in losses.items():
        if 'loss' in name:
            assert value.dtype == torch.float32
            torch.testing.assert_close(value, expected[name], rtol=0.1, atol=0.01)
    total(losses).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


def test_errors_name_the_key():
    with pytest.raises(ValueError, match=r'model.alpha = 1.5 and model.beta = 0.7 must be in'):
        plrc(alpha=1.5)
    with pytest.raises(ValueError, match=r"model.negatives = 'bank': choose one of \('image'"):
        plrc(negatives='bank')
    with pytest.raises(ValueError, match=r'give dict.*with_avg_pool=True'):
        plrc(neck=dict(NECK, with_avg_pool=False))
    with pytest.raises(ValueError, match=r'no homography_matrix: .* must come from ContrastViews'):
        plrc().loss(views(), [SelfSupDataSample()] * 4)
    bare = samples()
    for sample in bare:
        sample.pop('regions')
    with pytest.raises(ValueError, match=r'no regions: .*GridRegions'):
        plrc().loss(views(), bare)
