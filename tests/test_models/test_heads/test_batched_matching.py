"""Heads that match all layers and images at once, beside mmdet's own."""

from __future__ import annotations

import copy
from contextlib import contextmanager, nullcontext

import pytest
import torch
from mmdet.models.task_modules.assigners import BBoxL1Cost
from mmdet.registry import TASK_UTILS
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmpixcon.models.heads import batched_matching
from mmpixcon.models.heads.batched_heads import batch_matching
from mmpixcon.models.heads.batched_matching import BatchedMatching
from mmpixcon.models.task_modules import NonFiniteError, batched_costs
from mmpixcon.registry import MODELS
from tests.helpers.configs import ROOT
from tests.helpers.processes import load_tool

CLASSES, LAYERS, QUERIES = 5, 3, 7
SHAPES = [(64, 96), (80, 48), (33, 47)]
HEADS = ('DETRHead', 'ConditionalDETRHead', 'DABDETRHead', 'DeformableDETRHead', 'DINOHead')
CROSS_ENTROPY = dict(
    loss_cls=dict(
        type='mmdet.CrossEntropyLoss', use_sigmoid=False, loss_weight=2.0, class_weight=1.0
    ),
    cost='ClassificationCost',
)
FOCAL = dict(loss_cls=dict(type='mmdet.FocalLoss', loss_weight=2.0), cost='FocalLossCost')
QUALITY = dict(
    loss_cls=dict(type='mmdet.QualityFocalLoss', use_sigmoid=True, beta=2.0), cost='FocalLossCost'
)


@TASK_UTILS.register_module()
class SquaredBoxCost(BBoxL1Cost):
    """A cost that nobody has batched."""

    def __call__(self, pred_instances, gt_instances, img_meta=None, **kwargs):
        """The square of mmdet's."""
        return super().__call__(pred_instances, gt_instances, img_meta).square()


def stock(kind, loss_cls, cost, box_cost='BBoxL1Cost', assigner='mmdet.HungarianAssigner', **more):
    init_default_scope('mmdet')
    costs = [
        dict(type=cost, weight=1.3),
        dict(type=box_cost, weight=5.0),
        dict(type='IoUCost', iou_mode='giou', weight=2.0),
    ]
    if kind in ('DeformableDETRHead', 'DINOHead'):
        more |= dict(num_pred_layer=LAYERS)
    return MODELS.build(
        dict(
            type=f'mmdet.{kind}',
            num_classes=CLASSES,
            embed_dims=8,
            loss_cls=copy.deepcopy(loss_cls),
            loss_bbox=dict(type='mmdet.L1Loss', loss_weight=5.0),
            loss_iou=dict(type='mmdet.GIoULoss', loss_weight=2.0),
            train_cfg=dict(assigner=dict(type=assigner, match_costs=costs)),
            **more,
        )
    )


def batch(counts, dtype, seed=0):
    """Boxes of images of different sizes."""
    generator = torch.Generator().manual_seed(seed)
    instances, metas = [], []
    for count, (height, width) in zip(counts, SHAPES):
        corner = torch.rand(count, 2, generator=generator, dtype=dtype) * 20
        side = torch.rand(count, 2, generator=generator, dtype=dtype) * 12 + 2
        labels = torch.randint(CLASSES, (count,), generator=generator)
        instances.append(InstanceData(bboxes=torch.cat([corner, corner + side], 1), labels=labels))
        metas.append(dict(img_shape=(height, width), img_path='a.jpg'))
    return instances, metas


def outputs(head, dtype, queries=QUERIES, seed=1):
    """Logits and boxes that take gradients."""
    generator = torch.Generator().manual_seed(seed)
    shape = (LAYERS, len(SHAPES), queries)
    scores = torch.randn(*shape, head.cls_out_channels, generator=generator, dtype=dtype)
    boxes = torch.rand(*shape, 4, generator=generator, dtype=dtype) * 0.8 + 0.1
    return [scores.requires_grad_(), boxes.requires_grad_()]


def losses_and_gradients(head, kind, dtype, counts, queries=QUERIES, context=nullcontext):
    """What ``loss_by_feat`` gives, and the gradients of the losses' weighted sum."""
    instances, metas = batch(counts, dtype)
    leaves = outputs(head, dtype, queries)
    arguments = [*leaves]
    more = []
    if kind in ('DeformableDETRHead', 'DINOHead'):
        encoder = [part[0] for part in outputs(head, dtype, 11, seed=2)]
        leaves += encoder
        arguments += encoder
    if kind == 'DINOHead':
        groups, most = 2, max(counts)
        more = [dict(num_denoising_queries=2 * groups * most, num_denoising_groups=groups)]
        # Denoising queries stand in front.
        front = outputs(head, dtype, 2 * groups * most, seed=3)
        leaves += front
        arguments[:2] = [torch.cat(parts, 2) for parts in zip(front, arguments[:2])]
    with context(), default_dtype(dtype):
        losses = head.loss_by_feat(*arguments, instances, metas, *more)
        total = sum((i + 1) * losses[name].sum() for i, name in enumerate(sorted(losses)))
        gradients = torch.autograd.grad(total, leaves, allow_unused=True)
    return losses, [torch.zeros_like(p) if g is None else g for p, g in zip(leaves, gradients)]


@contextmanager
def default_dtype(dtype):
    """What mmdet makes DINO's denoising targets in."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def assert_equal(head, kind, dtype, counts, queries=QUERIES):
    expected = losses_and_gradients(head, kind, dtype, counts, queries)
    batched = batch_matching(copy.deepcopy(head))
    actual = losses_and_gradients(batched, kind, dtype, counts, queries)
    assert list(actual[0]) == list(expected[0])
    limit = 1e-9 if dtype == torch.float64 else 1e-5
    for name, value in expected[0].items():
        torch.testing.assert_close(actual[0][name], value.reshape(actual[0][name].shape),
                                   rtol=limit, atol=limit, msg=name)  # fmt: skip
    for ours, theirs in zip(actual[1], expected[1]):
        torch.testing.assert_close(ours, theirs, rtol=limit, atol=limit)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
@pytest.mark.parametrize('counts', [(3, 0, 5), (2, 2, 2), (0, 0, 0), (0, 9, 1)])
@pytest.mark.parametrize('kind', HEADS)
def test_losses_and_gradients_are_those_of_mmdet(kind, counts, dtype):
    settings = CROSS_ENTROPY if kind == 'DETRHead' else FOCAL
    if kind == 'DINOHead' and not any(counts):
        counts = (1, 0, 0)
    assert_equal(stock(kind, **settings), kind, dtype, counts)


@pytest.mark.parametrize('settings', [CROSS_ENTROPY, FOCAL, QUALITY])
@pytest.mark.parametrize('box_cost', ['BBoxL1Cost', 'SquaredBoxCost'])
def test_every_class_loss_and_any_cost(settings, box_cost):
    for kind in ('DETRHead' if settings is CROSS_ENTROPY else 'ConditionalDETRHead', 'DINOHead'):
        if kind == 'DINOHead' and settings is CROSS_ENTROPY:
            continue
        head = stock(kind, box_cost=box_cost, sync_cls_avg_factor=True, **settings)
        assert_equal(head, kind, torch.float64, (4, 0, 2))


@pytest.mark.parametrize('half', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('kind', ['DETRHead', 'DABDETRHead'])
def test_mixed_precision(kind, half):
    head = stock(kind, **(CROSS_ENTROPY if kind == 'DETRHead' else FOCAL))
    results = []
    for one in (head, batch_matching(copy.deepcopy(head))):
        leaves = outputs(one, torch.float32)
        instances, metas = batch((3, 0, 5), torch.float32)
        with torch.autocast('cpu', dtype=half):
            losses = one.loss_by_feat(*(leaf.to(half) for leaf in leaves), instances, metas)
        gradients = torch.autograd.grad(sum(value.sum() for value in losses.values()), leaves)
        results.append((list(losses), torch.stack([*losses.values()]), *gradients))
    (names, *expected), (batched_names, *actual) = results
    assert batched_names == names
    for ours, theirs in zip(actual, expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_costs_in_blocks(monkeypatch):
    monkeypatch.setattr(batched_costs, 'MAX_PAIRS', 40)
    assert_equal(stock('DABDETRHead', **FOCAL), 'DABDETRHead', torch.float64, (3, 1, 5))


def test_boxes_by_center_and_size():
    head = stock('DETRHead', **CROSS_ENTROPY)
    head.assigner.match_costs[1].box_format = 'xywh'
    assert_equal(head, 'DETRHead', torch.float64, (3, 1, 5))


@pytest.mark.parametrize(
    'assigner', ['mmdet.HungarianAssigner', 'mmpixcon.FiniteHungarianAssigner']
)
def test_costs_that_are_not_finite(assigner):
    head = batch_matching(stock('DETRHead', assigner=assigner, **CROSS_ENTROPY))
    scores, boxes = outputs(head, torch.float32)
    with torch.no_grad():
        scores[1, 2, 3] = torch.nan
    finite = 'mmpixcon' in assigner
    with pytest.raises(NonFiniteError if finite else ValueError,
                       match='ClassificationCost are not finite on a.jpg' if finite else 'invalid',
                       ):  # fmt: skip
        head.loss_by_feat(scores, boxes, *batch((3, 0, 2), torch.float32))


@pytest.mark.parametrize('kind', HEADS)
def test_one_wait_for_the_matching(kind):
    counting = load_tool(ROOT / 'tools' / 'benchmarks' / 'counting.py')
    settings = CROSS_ENTROPY if kind == 'DETRHead' else FOCAL
    work = {}
    for name in ('stock', 'batched'):
        head = stock(kind, **settings)
        if name == 'batched':
            batch_matching(head)
        seen = []

        @contextmanager
        def context(seen=seen):
            with counting.counted() as counts:
                seen.append(counts)
                yield

        losses_and_gradients(head, kind, torch.float32, (3, 0, 5), context=context)
        work[name] = seen[0]
    # Once more for the encoder's boxes where there are some.
    assert work['batched'].waits['cpu'] <= 2
    assert work['batched'].operators.total() < 0.5 * work['stock'].operators.total()
    for why in ('item', 'nonzero', 'unique', 'boolean index'):
        assert not work['batched'].waits[why]


def test_heads_are_registered_and_take_the_stock_weights():
    for kind in HEADS:
        head = stock(kind, **FOCAL)
        ours = stock(kind, **FOCAL)
        assert type(batch_matching(ours)) is MODELS.get(f'mmpixcon.Batched{kind}')
        assert isinstance(ours, BatchedMatching) and batch_matching(ours) is ours
        ours.load_state_dict(head.state_dict())
        assert type(copy.deepcopy(ours)) is type(ours)


def test_heads_by_config():
    """``loss_by_feat`` of DETR's head weighs no object less."""
    expected = stock('DETRHead', **CROSS_ENTROPY)
    cfg = dict(type='mmpixcon.BatchedDETRHead', num_classes=CLASSES, embed_dims=8)
    cfg['loss_cls'] = copy.deepcopy(CROSS_ENTROPY['loss_cls']) | dict(bg_cls_weight=0.2)
    head = MODELS.build(cfg)
    assert type(head) is MODELS.get('mmpixcon.BatchedDETRHead') and head.bg_cls_weight == 0.2
    assert head.loss_cls.class_weight[-1] == 0.2
    assert [n for n, _ in head.named_parameters()] == [n for n, _ in expected.named_parameters()]


def test_heads_that_cannot_be_batched():
    class Own(MODELS.get('mmdet.DETRHead')):
        def get_targets(self, *args):
            return super().get_targets(*args)

    head = stock('DETRHead', **CROSS_ENTROPY)
    head.__class__ = Own
    with pytest.raises(ValueError, match='Own has targets or losses of its own'):
        batch_matching(head)
    head = stock('DETRHead', **CROSS_ENTROPY)
    head.assigner = object()
    with pytest.raises(ValueError, match='assigner = object: queries are matched'):
        batch_matching(head)


def test_other_assigners_go_the_stock_way(monkeypatch):
    head = batch_matching(stock('DETRHead', **CROSS_ENTROPY))
    expected = losses_and_gradients(head, 'DETRHead', torch.float64, (3, 0, 2))

    class Other(type(head.assigner)):
        pass

    head.assigner.__class__ = Other
    monkeypatch.setattr(batched_matching, 'batched_costs', None)
    actual = losses_and_gradients(head, 'DETRHead', torch.float64, (3, 0, 2))
    for name, value in expected[0].items():
        torch.testing.assert_close(actual[0][name], value)
