"""Cross-attention of every decoder: what is read gives the decoder's own output."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.structures import DetDataSample
from mmengine.config import Config
from torch import nn

from mmpixcon.evaluation.query_attention import (
    best_queries,
    queries_of_objects,
    query_attention,
)
from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS

CELLS = {
    'detr_r18': 'MultiheadAttention',
    'conditional-detr_r18': 'ConditionalAttention',
    'dab-detr_r18': 'ConditionalAttention',
    'dn-detr_r18': 'ConditionalAttention',
}
POINTS = [
    'deformable-detr_r18',
    'deformable-detr-single-scale_r18',
    'deformable-detr-multi-scale_r18',
    'dino_r18',
    'dn-deformable-detr_r18',
]
# Of the batch, and of the image in the second sample; the rest of it is padding.
SIZE, SMALLER = (128, 160), (100, 130)


def small(name):
    """A shipped small detector, whose attention differs from query to query."""
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIGS / 'pixcon' / f'pixcon_{name}_1xb8-12e_scenes.py').model.detector
    detector = MODELS.build(copy.deepcopy(cfg))
    detector.init_weights()
    for module in detector.modules():
        if isinstance(module, MultiScaleDeformableAttention):
            nn.init.normal_(module.sampling_offsets.weight, std=0.2)
            nn.init.normal_(module.attention_weights.weight, std=0.2)
    # mmdet's detectors return nothing from eval().
    detector.eval()
    return detector


def batch():
    samples = [
        DetDataSample(
            metainfo=dict(
                img_shape=shape, ori_shape=shape, batch_input_shape=SIZE, scale_factor=(1.0, 1.0)
            )
        )
        for shape in (SIZE, SMALLER)
    ]
    return torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(1)), samples


@torch.no_grad()
def same_values_in_all_heads(weight, bias, heads):
    """Make a projection give each head the same values, in place."""
    side = len(weight) // heads
    weight.copy_(weight[:side].repeat(heads, 1))
    bias.copy_(torch.randn(side).repeat(heads))


def mean_of_heads(projection, heads):
    """Make the first outputs of a projection the mean of what the heads give, in place."""
    side = projection.in_features // heads
    nn.init.zeros_(projection.weight)
    nn.init.zeros_(projection.bias)
    projection.weight.data[:side] = torch.eye(side).repeat(1, heads) / heads


def outputs_of(modules, run):
    """What modules gave in a run."""
    actual = {}
    handles = [
        module.register_forward_hook(
            lambda module, args, output, name=name: actual.update({name: output})
        )
        for name, module in modules.items()
    ]
    result = run()
    for handle in handles:
        handle.remove()
    return actual, result


@pytest.mark.slow
@pytest.mark.parametrize('layer', [0, -1])
@pytest.mark.parametrize('name', CELLS)
def test_weights_of_cells_give_the_output(name, layer):
    detector = small(name)
    attention = detector.decoder.layers[layer].cross_attn
    assert type(attention).__name__ == CELLS[name]
    heads, side = attention.num_heads, attention.embed_dims // attention.num_heads
    if name == 'detr_r18':
        attention = attention.attn
        both = attention.in_proj_weight.detach(), attention.in_proj_bias.detach()
        weight, bias = (parameter.chunk(3)[2] for parameter in both)
        same_values_in_all_heads(weight, bias, heads)
        modules = dict(output=attention, memory=detector.encoder)
    else:
        same_values_in_all_heads(attention.v_proj.weight, attention.v_proj.bias, heads)
        modules = dict(output=attention.out_proj, values=attention.v_proj)
    mean_of_heads(attention.out_proj, heads)
    inputs, samples = batch()
    actual, result = outputs_of(modules, lambda: query_attention(detector, inputs, samples, layer))
    if name == 'detr_r18':
        output = actual['output'][0].transpose(0, 1)
        values = F.linear(actual['memory'], weight, bias)
    else:
        output, values = actual['output'], actual['values']
    weights = result.weights
    assert result.points is None and weights.shape == (2, detector.num_queries, 8, 10)
    torch.testing.assert_close(weights.sum((2, 3)), torch.ones(2, detector.num_queries))
    torch.testing.assert_close(weights.flatten(2) @ values[..., :side], output[..., :side])
    # Not everywhere the same: neither over cells nor over queries.
    assert (weights.amax((2, 3)) / weights[0].mean()).min() > 1.05
    assert (weights[0, 0] - weights[0, 1]).abs().max() > 1e-5
    # 100 x 130 pixels are in 7 x 9 cells of 16.
    padding = torch.ones(8, 10, dtype=torch.bool)
    padding[:7, :9] = False
    assert not weights[1][:, padding].any() and (weights[1][:, ~padding] > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize('layer', [0, -1])
@pytest.mark.parametrize('name', POINTS)
def test_sampling_points_give_the_output(name, layer):
    detector = small(name)
    attention = detector.decoder.layers[layer].cross_attn
    heads, side = attention.num_heads, attention.embed_dims // attention.num_heads
    same_values_in_all_heads(attention.value_proj.weight, attention.value_proj.bias, heads)
    mean_of_heads(attention.output_proj, heads)
    arguments = {}
    handle = attention.register_forward_pre_hook(
        lambda module, args, kwargs: arguments.update(kwargs), with_kwargs=True
    )
    modules = dict(output=attention.output_proj, values=attention.value_proj)
    inputs, samples = batch()
    actual, result = outputs_of(modules, lambda: query_attention(detector, inputs, samples, layer))
    handle.remove()
    levels, per_level = attention.num_levels, attention.num_points
    points = result.points
    assert result.weights is None
    # DN-Deformable-DETR has each query three times.
    queries = detector.num_queries * max(getattr(detector, 'num_patterns', 1), 1)
    assert points.shape == (2, queries, heads * levels * per_level, 3)
    torch.testing.assert_close(points[..., 2].sum(2), torch.ones(2, queries))
    # Of each level, at the points, bilinearly; 0 outside.
    values = actual['values'][..., :side].masked_fill(arguments['key_padding_mask'][..., None], 0)
    of_level = points.unflatten(2, (heads, levels, per_level))
    grid = of_level[..., :2] / torch.tensor(SIZE[::-1]) * 2 - 1
    expected, start = 0, 0
    for level, (h, w) in enumerate(arguments['spatial_shapes'].tolist()):
        one = values[:, start : start + h * w].transpose(1, 2).unflatten(2, (h, w))
        start += h * w
        sampled = F.grid_sample(one, grid[:, :, :, level].flatten(2, 3), align_corners=False)
        expected = expected + (sampled * of_level[:, None, :, :, level, :, 2].flatten(3)).sum(3)
    torch.testing.assert_close(
        expected.transpose(1, 2), actual['output'][..., :side], atol=1e-5, rtol=1e-4
    )
    assert (points[0, 0] - points[0, 1]).abs().max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize('name', [*CELLS, *POINTS])
def test_predictions_are_the_detectors(name):
    detector = small(name)
    inputs, samples = batch()
    result = query_attention(detector, inputs, samples)
    with torch.no_grad():
        expected = detector.predict(inputs, samples, rescale=False)
    for boxes, scores, sample in zip(result.boxes, result.scores, expected):
        best = best_queries(scores, 1)[0]
        actual = sample.pred_instances
        assert scores[best] == pytest.approx(actual.scores[0].item(), abs=1e-6)
        # mmdet clips them to the image.
        height, width = sample.img_shape
        limits = torch.tensor([width, height, width, height])
        torch.testing.assert_close(boxes[best].clamp(min=0).minimum(limits), actual.bboxes[0])
    # Nothing of the recording stays.
    attention = detector.decoder.layers[-1].cross_attn
    assert 'forward_attn' not in vars(attention)
    assert not any(module._forward_hooks for module in attention.modules())


def test_what_has_no_queries_is_refused_by_name():
    cfg = Config.fromfile(CONFIGS / 'stock' / 'faster-rcnn_r18_fpn_1xb8-12e_scenes.py')
    inputs, samples = batch()
    with pytest.raises(ValueError, match=r'FasterRCNN has no decoder with object queries; .*DINO'):
        query_attention(MODELS.build(cfg.model), inputs, samples)
    detector = small('detr_r18')
    with pytest.raises(ValueError, match=r'layer = 3: the decoder of DETR has 3 layers'):
        query_attention(detector, inputs, samples, layer=3)
    detector.decoder.layers[-1].cross_attn = nn.Identity()
    with pytest.raises(ValueError, match=r'DETR: the cross-attention .* is Identity, not one of'):
        query_attention(detector, inputs, samples)


def test_queries_of_the_objects_that_all_models_fit_best():
    objects = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [0, 20, 10, 30]])
    # The first model has the second object exactly, half of the first, nothing of the third.
    first = torch.tensor([[50.0, 50, 60, 60], [20, 0, 30, 10], [0, 0, 10, 5]])
    second = torch.tensor([[20.0, 0, 30, 8], [0, 20, 10, 24], [0, 0, 10, 10]])
    chosen, queries = queries_of_objects([first, second], objects, 2)
    # Means of 0.5 and 1, 1 and 0.8, 0 and 0.4.
    assert chosen == [1, 0] and queries == [[1, 2], [0, 2]]
    assert queries_of_objects([first], objects, 9)[0] == [1, 0, 2]
    assert best_queries(torch.tensor([0.1, 0.9, 0.4]), 2) == [1, 2]
