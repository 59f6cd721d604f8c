"""What Siamese DETR, UP-DETR and DETReg share: keys, matching, frozen backbone, errors."""

from __future__ import annotations

import copy
import re

import pytest
import torch
from mmengine.config import Config
from torchvision.ops import generalized_box_iou

from mmpixcon.models.detectors.frozen import CLASS_LAYERS
from mmpixcon.models.heads import batched_matching
from mmpixcon.models.heads.batched_matching import Matching
from mmpixcon.models.layers import num_matching_queries
from mmpixcon.models.pretext.regions import own_region_share
from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS
from tests.helpers.region_models import (
    METHODS,
    VARIANTS,
    detector,
    inputs,
    pairs_of,
    pretext,
    samples,
    total,
)

PREFIX = dict(SiameseDETR='siamese_detr.', UPDETR='updetr.', DETReg='detreg.')


@pytest.mark.slow
@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('variant', VARIANTS)
def test_checkpoint_is_the_stock_detectors(method, variant):
    model = pretext(method, variant)
    saved = model.state_dict()
    stock = MODELS.build(detector(variant))
    names = stock.state_dict()
    classes = {name for name in names if re.search(CLASS_LAYERS, name)}
    assert classes
    own = {name for name in saved if name.startswith(PREFIX[method])}
    assert set(saved) - own == set(names) - classes
    for name in classes:
        assert f'{PREFIX[method]}detector.{name}' in own
    missing, unexpected = stock.load_state_dict(saved, strict=False)
    assert set(missing) == classes and set(unexpected) == own
    for name, value in stock.state_dict().items():
        if name not in classes:
            assert torch.equal(value, saved[name]), name
    # And back into the pretext model, exactly: resuming.
    other = pretext(method, variant)
    assert other.load_state_dict(copy.deepcopy(saved), strict=True)
    for name, value in other.state_dict().items():
        assert torch.equal(value, saved[name]), name


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('variant', VARIANTS)
def test_plain_states_are_those_of_the_stock_detector(method, variant):
    model = pretext(method, variant)
    batch_inputs, batch_samples = inputs(method)
    states = model.plain_states(batch_inputs, batch_samples)
    assert model.training and not model.detector.backbone.training
    # Another one that loads the checkpoint has class layers of its own, which rank the encoder's
    # cells in two stages.
    stock = copy.deepcopy(model.detector).eval()
    if method == 'SiameseDETR':
        batch_inputs = torch.cat([batch_inputs[view] for view in ('view1', 'view2')])
        batch_samples = [s for view in ('view1', 'view2') for s in batch_samples[view]]
    with torch.no_grad():
        expected = stock.forward_transformer(stock.extract_feat(batch_inputs), batch_samples)
    torch.testing.assert_close(states, expected['hidden_states'][-1])
    assert states.shape == (len(batch_samples), num_matching_queries(stock), 256)


def test_a_stock_checkpoint_loads_without_its_classes():
    stock = MODELS.build(detector('Conditional DETR'))
    model = pretext('UPDETR')
    before = model.state_dict()['updetr.detector.bbox_head.fc_cls.weight'].clone()
    missing, unexpected = model.load_state_dict(stock.state_dict(), strict=False)
    assert not unexpected
    assert all(not name.startswith('detector.') or 'fc_cls' in name for name in missing)
    assert torch.equal(model.state_dict()['updetr.detector.bbox_head.fc_cls.weight'], before)


@pytest.mark.slow
@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('variant', VARIANTS)
def test_everything_but_the_backbone_learns(method, variant):
    model = pretext(method, variant)
    with torch.no_grad():
        # Zero at first: offsets and attention weights of deformable attention among them.
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.01)
    losses = model.loss(*inputs(method))
    assert all(value.isfinite() for value in losses.values())
    total(losses).backward()
    for name, parameter in model.named_parameters():
        if name.startswith('detector.backbone.'):
            assert not parameter.requires_grad and parameter.grad is None
        else:
            assert parameter.grad is not None, name


@pytest.mark.parametrize('method', METHODS)
def test_the_backbone_runs_once_and_does_not_change(method):
    model = pretext(method)
    backbone = model.detector.backbone
    before = copy.deepcopy(backbone.state_dict())
    calls = []
    backbone.register_forward_hook(lambda module, args, output: calls.append(args[0].shape))
    model.loss(*inputs(method))
    assert not any(module.training for module in backbone.modules())
    images, crops = (4, 16) if method == 'SiameseDETR' else (2, 8)
    assert sorted(map(tuple, calls)) == sorted([(images, 3, 64, 96), (crops, 3, 16, 16)])
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize('method', ['UPDETR', 'DETReg'])
def test_a_backbone_may_learn(method):
    model = pretext(method, frozen_backbone=False)
    assert model.detector.backbone.training
    total(model.loss(*inputs(method))).backward()
    assert model.detector.backbone.conv1.weight.grad.abs().sum() > 0


def test_crops_are_normalized_as_images():
    model = pretext('DETReg', embedding_level=-1)
    batch = samples(counts=(3, 0), crops=32)
    actual = model.crop_features(batch)
    assert len(actual) == 3
    cfg = detector('Conditional DETR').data_preprocessor
    mean, std = (torch.tensor(cfg[name])[:, None, None] for name in ('mean', 'std'))
    images = (batch[0].crops.flip(1).float() - mean) / std
    expected = model.detector.backbone(images)[-1].mean((2, 3))
    torch.testing.assert_close(actual, expected)


def test_object_features_are_means_over_boxes():
    model = pretext('SiameseDETR')
    # A map whose value is its column: 6 cells of 16 pixels.
    maps = torch.arange(6.0).expand(1, 256, 4, 6)  # not contiguous, which mmcv's op misreads
    boxes = torch.tensor([[16.0, 16.0, 80.0, 48.0], [40.0, 0.0, 56.0, 64.0]])
    actual = model.object_features((maps,), [boxes])
    # The center of a box, in cells whose centers are whole numbers.
    torch.testing.assert_close(actual[0, :, 0], torch.tensor([48 / 16 - 0.5, 48 / 16 - 0.5]))


@pytest.mark.parametrize('method', ['SiameseDETR', 'UPDETR'])
def test_features_of_all_maps_stand_beside_each_other(method):
    model = pretext(method, 'multi-scale Deformable DETR')
    channels, embed_dims = model.map_channels, model.embed_dims
    assert len(channels) > 1 and model.head.region_embed.in_features == sum(channels)
    assert model.head.feature_embed.layers[-1].out_features == sum(channels)
    maps = model.backbone_maps(torch.randn(6, 3, 32, 32))
    boxes = [torch.tensor([[0.0, 0.0, 32.0, 32.0]])] * 6
    features = model.object_features(maps, boxes)[:, 0]
    for feature, feature_map, roi_align in zip(features.split(channels, 1), maps, model.roi_aligns):
        rois = torch.tensor([[i, 0.0, 0.0, 32.0, 32.0] for i in range(6)])
        torch.testing.assert_close(feature, roi_align(feature_map, rois).mean((2, 3)))
    if method == 'SiameseDETR':
        assert model.head.projector.fc0.in_features == embed_dims * len(channels)


def test_own_region_share():
    regions = torch.tensor([0, 0, 1, 1])
    # Of the first image one of two, of the second both: the last query is of a second pattern.
    query, box = torch.tensor([1, 2, 3, 4]), torch.tensor([0, 0, 1, 0])
    # The last layer counts.
    layers = [torch.stack([torch.zeros_like(part), part]) for part in (query, box)]
    assert own_region_share(Matching(*layers, *layers), regions).item() == 0.75
    empty = torch.zeros(2, 0, dtype=torch.long)
    assert own_region_share(Matching(*[empty] * 4), regions).item() == 0


@pytest.mark.parametrize('method', ['SiameseDETR', 'UPDETR'])
def test_losses_of_other_features(method):
    model = pretext(method)
    for module in model.detector.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.3
    batch, data_samples = inputs(method)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    with torch.no_grad():
        right, other = model.losses_of_other_features(batch, data_samples)
    assert right.keys() == other.keys() and 'loss_bbox' in right
    assert right['loss_bbox'] != other['loss_bbox']
    # The features are not used where they are added with weight 0; dropout is the same for both.
    with torch.no_grad():
        model.head.region_embed.weight.zero_()
        torch.set_rng_state(state)
        right, other = model.losses_of_other_features(batch, data_samples)
    for name, value in right.items():
        torch.testing.assert_close(value, other[name], msg=name)


def matched_by_definition(model, logits, boxes, sample):
    """The cheapest matching of an image, costs from their definitions, by trying out."""
    from scipy.optimize import linear_sum_assignment

    height, width = sample.img_shape
    size = torch.tensor([width, height, width, height])
    truth = sample.gt_instances.bboxes
    center, side = boxes[:, :2], boxes[:, 2:]
    corners = torch.cat([center - side / 2, center + side / 2], 1) * size
    target = torch.cat([(truth[:, :2] + truth[:, 2:]) / 2, truth[:, 2:] - truth[:, :2]], 1) / size
    cost = -logits.softmax(-1)[:, :1] + 5 * (boxes[:, None] - target).abs().sum(-1)
    cost = cost - 2 * generalized_box_iou(corners, truth)
    query, region = linear_sum_assignment(cost.detach().numpy())
    return torch.tensor(query), torch.tensor(region)


@pytest.mark.parametrize('variant', ['DETR', 'Conditional DETR', 'multi-scale Deformable DETR'])
def test_matching_belongs_to_its_layer(variant):
    model = pretext('UPDETR', variant)
    with torch.no_grad():
        # Boxes that differ from layer to layer.
        for parameter in model.detector.decoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    images, batch = inputs('UPDETR')
    head_inputs, _ = model.decode(model.backbone_maps(images), batch)
    _, states, matching = model.detection_losses(dict(head_inputs), batch)
    matching = pairs_of(matching, batch)
    parts = ('hidden_states', 'references')
    seen = [head_inputs[part] for part in parts if part in head_inputs]
    logits, boxes = model.detector.bbox_head(*seen)
    assert len(matching) == len(states) == len(logits)
    actual = set()
    for layer, images_matched in enumerate(matching):
        for i, (query, region) in enumerate(images_matched):
            expected = matched_by_definition(model, logits[layer, i], boxes[layer, i], batch[i])
            assert torch.equal(query, expected[0]) and torch.equal(region, expected[1])
            actual.add((layer, tuple(query.tolist())))
    assert len({queries for _, queries in actual}) > 1


def test_two_stage_matching_is_of_the_decoder(monkeypatch):
    model = pretext('DETReg', 'DINO')
    solve, calls = batched_matching.linear_sum_assignment, []
    monkeypatch.setattr(
        batched_matching, 'linear_sum_assignment', lambda cost: calls.append(1) or solve(cost)
    )
    images, batch = inputs('DETReg')
    head_inputs, _ = model.decode(model.backbone_maps(images), batch)
    _, states, matching = model.detection_losses(head_inputs, batch)
    # Layers and images, and the encoder's boxes of the images.
    assert len(calls) == (len(states) + 1) * 2
    assert matching.query.shape == (len(states), 8)
    assert matching.query.max() < 20


def test_the_class_loss_is_of_region_and_no_object():
    head = pretext('SiameseDETR', no_object_weight=0.2).detector.bbox_head
    assert head.cls_out_channels == 2 and head.num_classes == 1
    logits, labels = torch.randn(6, 2), torch.tensor([0, 1, 1, 0, 1, 1])
    weight = torch.tensor([1.0, 0.2])[labels]
    expected = (-logits.log_softmax(1)[range(6), labels] * weight).sum() / 3
    torch.testing.assert_close(head.loss_cls(logits, labels, avg_factor=3), expected)
    assert head.bg_cls_weight == 0.2
    assert [type(cost).__name__ for cost in head.assigner.match_costs] == [
        'ClassificationCost',
        'BBoxL1Cost',
        'IoUCost',
    ]
    stock = pretext('DETReg').detector.bbox_head
    assert stock.cls_out_channels == 1 and type(stock.loss_cls).__name__ == 'FocalLoss'
    two_stage = pretext('SiameseDETR', 'DINO').detector.bbox_head
    assert two_stage.cls_out_channels == 1 and type(two_stage.loss_cls).__name__ == 'FocalLoss'


@pytest.mark.slow
def test_bad_input():
    with pytest.raises(ValueError, match=r'num_regions = 3 must be a divisor of .* = 20'):
        pretext('SiameseDETR', num_regions=3)
    with pytest.raises(ValueError, match='num_regions = 0 must be a divisor'):
        pretext('UPDETR', num_regions=0)
    faster = Config.fromfile(CONFIGS / 'stock' / 'faster-rcnn_r18_fpn_1xb8-12e_scenes.py').model
    for method in METHODS:
        with pytest.raises(ValueError, match='FasterRCNN has no encoder and decoder'):
            pretext(method, faster)
        with pytest.raises(ValueError, match=r'put dict\(type=.mmpixcon.RegionCrops.\) before'):
            pretext(method).loss(*inputs(method, crops=0))
    no_training = detector('Conditional DETR')
    no_training.train_cfg = None
    with pytest.raises(ValueError, match='train_cfg: ConditionalDETR has no assigner'):
        pretext('UPDETR', no_training)
    for method in ('SiameseDETR', 'UPDETR'):
        with pytest.raises(ValueError, match=r'a.jpg has 3 regions, model.num_regions is 4.*num=4'):
            pretext(method).loss(*inputs(method, counts=(4, 3)))
    with pytest.raises(ValueError, match=r'head.in_channels = 5, but ConditionalDETR has 256'):
        pretext('UPDETR', head=dict(type='mmpixcon.RegionQueryHead', in_channels=5))
    with pytest.raises(ValueError, match='embedding_level = 1: the backbone gives 1 maps'):
        pretext('DETReg', embedding_level=1)
