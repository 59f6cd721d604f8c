"""QueryMaskHead against a dense reference in float64."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from mmpixcon.registry import MODELS

CHANNELS, HEADS, FPN = 24, 3, (20, 10, 6)
SIZES = ((4, 5), (8, 10), (16, 19))


def make_head(**options):
    cfg = dict(in_channels=CHANNELS, fpn_channels=FPN, num_heads=HEADS, num_groups=8)
    head = MODELS.build(dict(type='mmpixcon.QueryMaskHead', **cfg | options))
    head.init_weights()
    # A fresh bias or norm is 0 or 1: what uses it wrongly would not be seen.
    for p in head.parameters():
        torch.nn.init.normal_(p, std=0.3) if p.dim() == 1 else None
    return head.double()


def make_inputs(counts=(3, 0, 2)):
    images = len(counts)
    queries = [torch.randn(count, CHANNELS, dtype=torch.double) for count in counts]
    memory = torch.randn(images, CHANNELS, 3, 4, dtype=torch.double)
    maps = [torch.randn(images, c, *s, dtype=torch.double) for c, s in zip(FPN, SIZES)]
    padding = torch.zeros(images, 3, 4, dtype=torch.bool)
    padding[0, :, 3] = True
    padding[-1, 2] = True
    return queries, memory, maps, padding


def slow_attention(attention, query, memory, padding):
    """(M, h, w) of one query of one image, cell by cell."""
    heads, depth = attention.num_heads, CHANNELS // attention.num_heads
    q = attention.query.weight @ query + attention.query.bias
    scores = {}
    for m in range(heads):
        part = slice(m * depth, (m + 1) * depth)
        for y in range(memory.shape[1]):
            for x in range(memory.shape[2]):
                if not padding[y, x]:
                    k = attention.key.weight[:, :, 0, 0] @ memory[:, y, x] + attention.key.bias
                    scores[m, y, x] = math.exp((q[part] @ k[part]).item() / math.sqrt(depth))
    out = torch.zeros(heads, *memory.shape[1:], dtype=torch.double)
    for place, score in scores.items():
        out[place] = len(scores) * score / sum(scores.values())
    return out


def slow_logits(head, query, memory, maps, padding):
    """(H, W) of one query of one image, from one concatenated map."""
    x = torch.cat([memory, slow_attention(head.attention, query, memory, padding)])[None]

    def block(x, part):
        norm = part.norm
        x = F.conv2d(x, part.conv.weight, padding=1)
        grouped = x.view(1, norm.num_groups, -1)
        centred = grouped - grouped.mean(2, keepdim=True)
        scaled = centred / (centred.square().mean(2, keepdim=True) + norm.eps).sqrt()
        scaled = scaled.view_as(x) * norm.weight[:, None, None] + norm.bias[:, None, None]
        return scaled.clamp(min=0)

    blocks = list(head.blocks)
    x = block(block(x, blocks[0]), blocks[1])
    for adapter, feature, part in zip(head.adapters, maps, blocks[2:]):
        rows = torch.arange(feature.shape[1]) * x.shape[2] // feature.shape[1]
        columns = torch.arange(feature.shape[2]) * x.shape[3] // feature.shape[2]
        lateral = torch.einsum('oc,chw->ohw', adapter.weight[:, :, 0, 0], feature)
        x = x[:, :, rows][..., columns] + lateral + adapter.bias[:, None, None]
        x = block(x, part)
    return F.conv2d(x, head.out.weight, head.out.bias, padding=1)[0, 0]


def test_attention_is_the_slow_one_and_ignores_padding():
    head, (queries, memory, _, padding) = make_head(), make_inputs()
    maps = head.attention(queries, memory, padding)
    assert maps.shape == (5, HEADS, 3, 4)
    images = [0, 0, 0, 2, 2]
    for index, (query, image) in enumerate(zip(torch.cat(queries), images)):
        expected = slow_attention(head.attention, query, memory[image], padding[image])
        torch.testing.assert_close(maps[index], expected)
    valid = torch.tensor([9.0, 9, 9, 8, 8], dtype=torch.double)
    torch.testing.assert_close(maps.sum((1, 2, 3)), HEADS * valid)
    assert (maps[:3, :, :, 3] == 0).all()
    # Whatever stands in the padding has no say.
    changed = memory.masked_fill(padding[:, None], 1e3)
    assert torch.equal(head.attention(queries, changed, padding), maps)


def test_logits_are_the_slow_ones():
    head, (queries, memory, maps, padding) = make_head(), make_inputs()
    logits = head(queries, memory, maps, padding)
    assert [tuple(part.shape) for part in logits] == [(n, *SIZES[-1]) for n in (3, 0, 2)]
    for image, part in enumerate(logits):
        for query, actual in zip(queries[image], part):
            features = [feature[image] for feature in maps]
            expected = slow_logits(head, query, memory[image], features, padding[image])
            torch.testing.assert_close(actual, expected)


def test_five_blocks_with_channels_that_halve():
    head = MODELS.build(dict(type='mmpixcon.QueryMaskHead'))
    shapes = [tuple(block.conv.weight.shape[:2]) for block in head.blocks]
    assert shapes == [(264, 264), (128, 264), (64, 128), (32, 64), (16, 32)]
    assert [block.norm.num_groups for block in head.blocks] == [8] * 5
    assert [tuple(a.weight.shape[:2]) for a in head.adapters] == [(128, 1024), (64, 512), (32, 256)]
    # Widths that 8 groups would not divide: 27, 12, 6, 3, 1.
    assert [block.norm.num_groups for block in make_head().blocks] == [1, 4, 2, 1, 1]


def test_dice_is_detrs_at_the_resolution_of_the_masks():
    head = make_head()
    logits = torch.randn(3, 5, 7, dtype=torch.double, requires_grad=True)
    masks = (torch.rand(3, 20, 28) > 0.6).float()
    masks[2] = 0
    loss = head.loss(logits, masks, avg_factor=5.0)
    total = 0.0
    for logit, mask in zip(logits, masks):
        size = dict(size=(20, 28), mode='bilinear', align_corners=False)
        p = F.interpolate(logit[None, None], **size)[0, 0].sigmoid()
        m = mask.double()
        total = total + 1 - (2 * (p * m).sum() + 1) / (p.sum() + m.sum() + 1)
    torch.testing.assert_close(loss.double(), total / 5)
    actual, expected = (torch.autograd.grad(x, logits)[0] for x in (loss, total / 5))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-7)


def test_half_precision_counts_all_pixels():
    logits = torch.full((1, 8, 8), 9.0, dtype=torch.half)
    masks = torch.ones(1, 512, 512)
    assert make_head().loss(logits, masks, 1.0) < 1e-3


def test_gradients_reach_every_parameter():
    head, (queries, memory, maps, padding) = make_head(), make_inputs()
    logits = torch.cat(head(queries, memory, maps, padding))
    head.loss(logits, (torch.rand(5, 32, 38) > 0.5).double(), 5).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        # That of the key's bias as well: it moves weight from head to head.
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize('passes', [1, 2, 5, 100])
def test_fewer_queries_at_once_make_the_same_masks(passes):
    head, (queries, memory, maps, padding) = make_head(), make_inputs(counts=(5,))
    # So that about half of the pixels are in a mask.
    with torch.no_grad():
        head.out.bias -= torch.cat(head(queries, memory, maps, padding)).median()
        (logits,) = head(queries, memory, maps, padding)
    head.max_queries_per_pass = passes
    calls = []
    head.register_forward_hook(lambda module, args, output: calls.append(output[0]))
    sizes = dict(input_shape=(64, 76), img_shape=(60, 70), out_shape=(90, 105))
    masks = head.predict(queries[0], memory, maps, padding, **sizes)
    assert len(calls) == math.ceil(5 / passes)
    torch.testing.assert_close(torch.cat(calls), logits)
    resize = dict(mode='bilinear', align_corners=False)
    whole = F.interpolate(logits[:, None], (64, 76), **resize)[:, :, :60, :70]
    whole = F.interpolate(whole, (90, 105), **resize)[:, 0].sigmoid()
    sure = (whole - 0.5).abs() > 1e-4
    assert sure.double().mean() > 0.95
    assert masks.dtype == torch.bool
    assert torch.equal(masks[sure], (whole > 0.5)[sure])
    assert 0.2 < masks.double().mean() < 0.8


def test_no_query_no_mask():
    head, (_, memory, maps, _) = make_head(), make_inputs(counts=(1,))
    masks = head.predict(memory.new_zeros(0, CHANNELS), memory, maps, None, (9, 9), (9, 9), (5, 6))
    assert masks.shape == (0, 5, 6)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r'num_heads = 5 must divide in_channels = 24'):
        make_head(num_heads=5)
    with pytest.raises(ValueError, match=r'fpn_channels = \(\) must name a map'):
        make_head(fpn_channels=())
    with pytest.raises(ValueError, match=r'max_queries_per_pass = 0 be positive'):
        make_head(max_queries_per_pass=0)
