"""Dense attention to several levels, against its definition and against mmdet's of one level."""

from __future__ import annotations

import pytest
import torch
from mmdet.models.layers.transformer.dab_detr_layers import DABDetrTransformerDecoderLayer
from mmdet.models.layers.transformer.utils import ConditionalAttention
from torch import Tensor

from mmpixcon.models.layers.multi_level_dab_decoder import (
    MultiLevelConditionalAttention,
    MultiLevelDABDetrTransformerDecoder,
    MultiLevelDABDetrTransformerDecoderLayer,
)

DIMS, HEADS, QUERIES, CELLS = 16, 4, 5, (6, 3, 2)
LAYER = dict(
    self_attn_cfg=dict(embed_dims=DIMS, num_heads=HEADS),
    cross_attn_cfg=dict(embed_dims=DIMS, num_heads=HEADS, cross_attn=True),
    ffn_cfg=dict(embed_dims=DIMS, feedforward_channels=32, num_fcs=2),
)


def tensors(cells: int) -> dict[str, Tensor]:
    """What an attention takes, of two images, the second with padding."""
    padding = torch.zeros(2, cells, dtype=torch.bool)
    padding[1, 1::3] = True
    names = dict.fromkeys(('query', 'query_pos', 'ref_sine_embed'), QUERIES)
    names |= dict.fromkeys(('key', 'key_pos'), cells)
    inputs = {
        name: torch.randn(2, n, DIMS, dtype=torch.float64, requires_grad=True)
        for name, n in names.items()
    }
    return dict(inputs, key_padding_mask=padding)


def by_definition(
    attention: MultiLevelConditionalAttention, inputs: dict[str, Tensor], weights: Tensor
) -> Tensor:
    """Each image, query, head and level by itself."""
    first = attention.qpos_proj is not None
    position = attention.kpos_proj(inputs['key_pos'])
    q = attention.qcontent_proj(inputs['query'])
    k = attention.kcontent_proj(inputs['key'])
    if first:
        q, k = q + attention.qpos_proj(inputs['query_pos']), k + position
    sine = attention.qpos_sine_proj(inputs['ref_sine_embed'])
    v = attention.v_proj(inputs['key'])
    size = DIMS // HEADS
    images = []
    for image in range(2):
        rows = []
        for query in range(QUERIES):
            parts = []
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                asked = torch.cat([q[image, query, part], sine[image, query, part]])
                keys = torch.cat([k[image, :, part], position[image, :, part]], 1)
                scores = keys @ asked / (2 * size) ** 0.5
                scores = scores.masked_fill(inputs['key_padding_mask'][image], -torch.inf)
                read, start = 0.0, 0
                for level, cells in enumerate(CELLS):
                    cut = slice(start, start + cells)
                    share = scores[cut].softmax(0) @ v[image, cut, part]
                    read = read + weights[image, query, level] * share
                    start += cells
                parts.append(read)
            rows.append(torch.cat(parts))
        images.append(torch.stack(rows))
    # Each level is projected and then weighted; the weights have the sum 1.
    return inputs['query'] + attention.out_proj(torch.stack(images))


@pytest.mark.parametrize('is_first', [True, False])
def test_by_definition(is_first):
    attention = MultiLevelConditionalAttention(DIMS, HEADS, cross_attn=True).double()
    torch.nn.init.normal_(attention.out_proj.bias)
    if not is_first:
        attention.qpos_proj = None
    inputs = tensors(sum(CELLS))
    weights = torch.randn(2, QUERIES, 3, dtype=torch.float64).softmax(2).requires_grad_()
    output = attention(**inputs, level_cells=CELLS, level_weights=weights, is_first=is_first)
    expected = by_definition(attention, inputs, weights)
    torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-9)
    leaves = [weights, *attention.parameters()]
    leaves += [value for value in inputs.values() if value.requires_grad]
    upstream = torch.randn_like(output)
    fast = torch.autograd.grad(output, leaves, upstream, allow_unused=True)
    dense = torch.autograd.grad(expected, leaves, upstream, allow_unused=True)
    for a, b in zip(fast, dense):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_one_level_is_stock():
    attention = MultiLevelConditionalAttention(DIMS, HEADS, cross_attn=True).double()
    stock = ConditionalAttention(DIMS, HEADS, cross_attn=True).double()
    stock.load_state_dict(attention.state_dict())
    inputs = tensors(7)
    weights = torch.ones(2, QUERIES, 1, dtype=torch.float64)
    output = attention(**inputs, level_cells=[7], level_weights=weights, is_first=True)
    torch.testing.assert_close(output, stock(**inputs, is_first=True), rtol=1e-9, atol=1e-9)


def test_a_layer_of_one_level_is_stock():
    layer = MultiLevelDABDetrTransformerDecoderLayer(num_levels=1, **LAYER).double()
    stock = DABDetrTransformerDecoderLayer(**LAYER).double()
    names, _ = stock.load_state_dict(layer.state_dict(), strict=False)
    assert not names
    inputs = tensors(7)
    output = layer(**inputs, level_cells=[7], is_first=True)
    torch.testing.assert_close(output, stock(**inputs, is_first=True), rtol=1e-9, atol=1e-9)


def test_a_level_of_padding_alone_is_finite():
    attention = MultiLevelConditionalAttention(DIMS, HEADS, cross_attn=True).double()
    inputs = tensors(sum(CELLS))
    inputs['key_padding_mask'][1, -CELLS[-1] :] = True
    weights = torch.full((2, QUERIES, 3), 1 / 3, dtype=torch.float64)
    output = attention(**inputs, level_cells=CELLS, level_weights=weights)
    assert output.isfinite().all()
    (gradient,) = torch.autograd.grad(output.sum(), inputs['query'])
    assert gradient.isfinite().all()


def test_no_mask_is_no_padding():
    attention = MultiLevelConditionalAttention(DIMS, HEADS, cross_attn=True).double()
    inputs = tensors(sum(CELLS))
    weights = torch.full((2, QUERIES, 3), 1 / 3, dtype=torch.float64)
    inputs['key_padding_mask'] = torch.zeros_like(inputs['key_padding_mask'])
    zeros = attention(**inputs, level_cells=CELLS, level_weights=weights)
    inputs['key_padding_mask'] = None
    output = attention(**inputs, level_cells=CELLS, level_weights=weights)
    torch.testing.assert_close(output, zeros, rtol=1e-9, atol=1e-9)


def test_only_the_first_layer_transforms_positions():
    decoder = MultiLevelDABDetrTransformerDecoder(
        num_layers=3, layer_cfg=dict(LAYER, num_levels=3), return_intermediate=True
    )
    assert [layer.cross_attn.qpos_proj is None for layer in decoder.layers] == [False, True, True]
    assert all(layer.level_weights.out_features == 3 for layer in decoder.layers)
