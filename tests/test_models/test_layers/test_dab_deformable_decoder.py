"""The decoder against DINO's, mmdet's other decoder that makes positions of boxes."""

from __future__ import annotations

import pytest
import torch
from mmdet.models.layers.transformer import DinoTransformerDecoder
from torch import nn

from mmpixcon.models.layers.dab_deformable_decoder import DABDeformableTransformerDecoder

# DINO's encoding is made for 256 channels.
DIMS, LAYERS, BATCH, QUERIES = 256, 3, 2, 5
SHAPES = [(4, 6), (2, 3)]


def settings() -> dict:
    attention = dict(embed_dims=DIMS, dropout=0.0, batch_first=True)
    return dict(
        num_layers=LAYERS,
        return_intermediate=True,
        layer_cfg=dict(
            self_attn_cfg=dict(num_heads=8, **attention),
            cross_attn_cfg=dict(num_levels=len(SHAPES), num_points=2, **attention),
            ffn_cfg=dict(embed_dims=DIMS, feedforward_channels=64, ffn_drop=0.0),
        ),
        post_norm_cfg=None,
    )


def regressors() -> nn.ModuleList:
    """One a layer, each far from zero, so that boxes move."""
    return nn.ModuleList([nn.Linear(DIMS, 4) for _ in range(LAYERS)])


def case() -> dict:
    """Two images on two levels, the second one padded; half of the queries see each other."""
    cells = sum(h * w for h, w in SHAPES)
    padding = torch.zeros(BATCH, cells, dtype=torch.bool)
    padding[1, torch.arange(cells) % 3 == 2] = True
    hidden = torch.zeros(QUERIES, QUERIES, dtype=torch.bool)
    hidden[:2, 2:] = hidden[2:, :2] = True
    return dict(
        query=torch.randn(BATCH, QUERIES, DIMS).requires_grad_(),
        value=torch.randn(BATCH, cells, DIMS).requires_grad_(),
        reference_points=torch.rand(BATCH, QUERIES, 4).requires_grad_(),
        key_padding_mask=padding,
        self_attn_mask=hidden,
        spatial_shapes=torch.tensor(SHAPES),
        level_start_index=torch.tensor([0, SHAPES[0][0] * SHAPES[0][1]]),
        valid_ratios=torch.tensor([[[1.0, 1.0], [1.0, 1.0]], [[0.7, 0.9], [0.7, 0.8]]]),
        reg_branches=regressors(),
    )


class ScaledHead(nn.Module):
    """In the place of DINO's: its output times the scale of the last layer's content."""

    def __init__(self, head: nn.Module, scale: nn.Module, layers: nn.ModuleList) -> None:
        super().__init__()
        self.head, self.scale, self.contents = head, scale, []
        for layer in layers:
            layer.register_forward_hook(lambda module, args, out: self.contents.append(out))

    def forward(self, encoding: torch.Tensor) -> torch.Tensor:
        position = self.head(encoding)
        return position * self.scale(self.contents[-1]) if self.contents else position


def decoders(scaled: bool) -> tuple[DABDeformableTransformerDecoder, DinoTransformerDecoder]:
    """Ours and DINO's with the same weights, and the same query scale or none."""
    ours, dino = DABDeformableTransformerDecoder(**settings()), DinoTransformerDecoder(**settings())
    # All layers unlike and no weight at zero, as offsets are before training.
    for parameter in ours.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.05)
    # A scale of 1 is none.
    if not scaled:
        last = ours.query_scale.layers[-1]
        nn.init.zeros_(last.weight)
        nn.init.ones_(last.bias)
    weights = {k: v for k, v in ours.state_dict().items() if not k.startswith('query_scale')}
    missing, unexpected = dino.load_state_dict(weights, strict=False)
    assert (missing, unexpected) == (['norm.weight', 'norm.bias'], [])
    # DINO normalizes what it returns, once more than its layers do.
    dino.norm = nn.Identity()
    if scaled:
        dino.ref_point_head = ScaledHead(dino.ref_point_head, ours.query_scale, dino.layers)
    return ours, dino


@pytest.mark.parametrize('scaled', [False, True])
def test_equals_dinos_decoder(scaled):
    """Contents, boxes and the gradients of all that the contents depend on."""
    ours, dino = decoders(scaled)
    batch = case()
    direction = torch.randn(LAYERS, BATCH, QUERIES, DIMS)
    inputs = [batch[name] for name in ('query', 'value', 'reference_points')]
    actual = []
    for decoder in (ours, dino):
        contents, boxes = decoder(**batch)
        head = getattr(decoder.ref_point_head, 'head', decoder.ref_point_head)
        learned = [*decoder.layers.parameters(), *head.parameters()]
        if scaled:
            learned += ours.query_scale.parameters()
        gradients = torch.autograd.grad((contents * direction).sum(), [*inputs, *learned])
        actual.append((contents, boxes.detach(), gradients))
    (contents, boxes, gradients), (their_contents, their_boxes, their_gradients) = actual
    torch.testing.assert_close(contents, their_contents)
    # DINO's begin with those that were given.
    torch.testing.assert_close(boxes, their_boxes[1:])
    assert len(gradients) == len(their_gradients)
    for ours_, theirs in zip(gradients, their_gradients):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(ours_, theirs, rtol=1e-4, atol=1e-4)
    # Not for want of a difference between layers.
    assert (boxes[0] - boxes[-1]).abs().max() > 0.1


def test_boxes_pass_no_gradient_on():
    """Neither those it returns nor those that the next layer starts from."""
    ours, _ = decoders(scaled=True)
    batch = case()
    contents, boxes = ours(**batch)
    assert not boxes.requires_grad
    contents.sum().backward()
    assert all(parameter.grad is None for parameter in batch['reg_branches'].parameters())
    # The boxes that were given are learned: the first layer's positions are made of them.
    assert batch['reference_points'].grad.abs().max() > 0
