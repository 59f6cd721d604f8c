"""DETReg: stock losses of one class, and embeddings of the proposals."""

from __future__ import annotations

import pytest
import torch

from mmpixcon.registry import MODELS
from tests.helpers.region_models import (
    VARIANTS,
    detector,
    inputs,
    pairs_of,
    pretext,
    quiet,
    total,
)


@pytest.mark.parametrize('variant', ['DETR', 'Conditional DETR', 'multi-scale Deformable DETR'])
def test_detection_losses_are_the_stock_detectors(variant):
    model = quiet(pretext('DETReg', variant))
    images, samples = inputs('DETReg', counts=(5, 2))
    stock = detector(variant)
    stock.bbox_head.num_classes = 1
    stock = quiet(MODELS.build(stock)).train()
    stock.load_state_dict(model.detector.state_dict())
    stock.backbone.eval()
    expected = stock.loss(images, samples)
    actual = model.loss(images, samples)
    assert set(actual) - set(expected) == {'loss_embedding'}
    for name, value in expected.items():
        # Where mmdet averages over processes, it leaves an axis of one.
        torch.testing.assert_close(actual[name], value.reshape(()))


@pytest.mark.parametrize(('level', 'channels'), [(0, 192), (-1, 384)])
def test_embedding_of_the_last_layer(level, channels):
    model = quiet(pretext('DETReg', 'multi-scale Deformable DETR', embedding_level=level))
    images, samples = inputs('DETReg', counts=(5, 2))
    actual = model.loss(images, samples)['loss_embedding']
    head_inputs, _ = model.decode(model.backbone_maps(images), samples)
    _, states, matching = model.detection_losses(head_inputs, samples)
    features = model.crop_features(samples, level)
    assert features.shape == (7, channels)
    features = features.split([5, 2])
    matching = pairs_of(matching, samples)
    distances = [
        (model.embedding(states[-1, image, q]) - features[image][r]).abs()
        for image, (query, region) in enumerate(matching[-1])
        for q, r in zip(query, region)
    ]
    assert len(distances) == 7
    torch.testing.assert_close(actual, torch.stack(distances).mean())


@pytest.mark.slow
@pytest.mark.parametrize('variant', VARIANTS)
def test_images_without_proposals(variant):
    model = pretext('DETReg', variant)
    for counts in ((0, 3), (0, 0)):
        losses = model.loss(*inputs('DETReg', counts=counts))
        assert all(value.isfinite() for value in losses.values())
        total(losses).backward()
    assert losses['loss_embedding'] == 0
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
