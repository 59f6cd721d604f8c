"""Detection transformers under the names of their releases, small, to compare outputs with.

Of DETR (arXiv:2005.12872), Conditional DETR (arXiv:2108.06152) and Deformable DETR
(arXiv:2010.04159), without padding, dropout and refinement; names, and which norm comes when, are
those of the releases. The modules stand for their parameters; ``forward`` takes images and a
position encoding and gives scores and boxes of all decoder layers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch
from mmdet.models.backbones import ResNet
from torch import Tensor, nn

WIDTH, HEADS, HIDDEN, POINTS = 256, 8, 512, 2
Positions = Callable[[Tensor], Tensor]


class MLP(nn.Module):
    """A perceptron with ReLU."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x)


class Part(nn.Module):
    """Modules by name."""

    def __init__(self, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


def layers(build: Callable[[], nn.Module], count: int, **more: nn.Module) -> Part:
    """An encoder or decoder."""
    return Part(layers=nn.ModuleList(build() for _ in range(count)), **more)


def body(*stages: int) -> nn.Module:
    """The backbone, as ``backbone.0.body``: mmdet's, whose names are torchvision's."""
    indices = [stage - 1 for stage in stages]
    return nn.Sequential(Part(body=ResNet(18, out_indices=indices, base_channels=16)))


def attend(attention: nn.Module, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return attention(query, key, value, need_weights=False)[0]


def feed(layer: nn.Module, x: Tensor, norm: nn.Module) -> Tensor:
    return norm(x + layer.linear2(layer.linear1(x).relu()))


def rows(maps: Tensor) -> Tensor:
    """(N, C, h, w) as (N, h w, C)."""
    return maps.flatten(2).transpose(1, 2)


def ffn(**attentions: nn.Module) -> Part:
    """A layer of given attentions, with norms for each and for the perceptron."""
    norms = {f'norm{i + 1}': nn.LayerNorm(WIDTH) for i in range(len(attentions) + 1)}
    perceptron = dict(linear1=nn.Linear(WIDTH, HIDDEN), linear2=nn.Linear(HIDDEN, WIDTH))
    return Part(**attentions, **norms, **perceptron)


def attention() -> nn.Module:
    return nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)


class DETR(nn.Module):
    """DETR: normalized after attention."""

    def __init__(self, classes: int, queries: int, encoders: int, decoders: int) -> None:
        super().__init__()
        more = dict(norm=nn.LayerNorm(WIDTH), **self.decoder_parts())
        self.transformer = Part(
            encoder=layers(lambda: ffn(self_attn=attention()), encoders),
            decoder=layers(self.decoder_layer, decoders, **more),
        )
        self.class_embed = nn.Linear(WIDTH, classes)
        self.bbox_embed = MLP(WIDTH, WIDTH, WIDTH, 4)
        self.query_embed = nn.Embedding(queries, WIDTH)
        self.input_proj = nn.Conv2d(128, WIDTH, 1)
        self.backbone = body(4)

    def decoder_parts(self) -> dict[str, nn.Module]:
        """Modules of the decoder besides its layers."""
        return {}

    def decoder_layer(self) -> nn.Module:
        """A layer of the decoder."""
        return ffn(self_attn=attention(), multihead_attn=attention())

    def decode(self, memory: Tensor, pos: Tensor, query: Tensor) -> tuple[list[Tensor], Tensor]:
        """Queries after each layer, and what boxes are relative to, before the sigmoid."""
        x, states = torch.zeros_like(query), []
        for layer in self.transformer.decoder.layers:
            x = layer.norm1(x + attend(layer.self_attn, x + query, x + query, x))
            attended = attend(layer.multihead_attn, x + query, memory + pos, memory)
            x = feed(layer, layer.norm2(x + attended), layer.norm3)
            states.append(x)
        return states, x.new_zeros(2)

    def forward(self, images: Tensor, positions: Positions) -> tuple[Tensor, Tensor]:
        src = self.input_proj(self.backbone[0].body(images)[0])
        pos, memory = rows(positions(src)), rows(src)
        for layer in self.transformer.encoder.layers:
            key = memory + pos
            memory = layer.norm1(memory + attend(layer.self_attn, key, key, memory))
            memory = feed(layer, memory, layer.norm2)
        query = self.query_embed.weight.expand(len(images), -1, -1)
        states, reference = self.decode(memory, pos, query)
        states = torch.stack([self.transformer.decoder.norm(x) for x in states])
        boxes = self.bbox_embed(states)
        boxes = torch.cat([boxes[..., :2] + reference, boxes[..., 2:]], -1)
        return self.class_embed(states), boxes.sigmoid()


def heads(x: Tensor) -> Tensor:
    """(N, L, C) as (N, H, L, C / H)."""
    return x.unflatten(2, (HEADS, -1)).transpose(1, 2)


def mix(attention: nn.Module, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention between what is split into heads already."""
    mixed = F.scaled_dot_product_attention(query, key, heads(value))
    return attention.out_proj(mixed.transpose(1, 2).flatten(2))


class ConditionalDETR(DETR):
    """Conditional DETR: in cross-attention, positions stand beside contents."""

    def decoder_parts(self) -> dict[str, nn.Module]:
        return dict(query_scale=MLP(WIDTH, WIDTH, WIDTH), ref_point_head=MLP(WIDTH, WIDTH, 2))

    def decoder_layer(self) -> nn.Module:
        parts = ('qcontent', 'qpos', 'kcontent', 'kpos', 'v')
        names = [f'{kind}_{part}_proj' for kind in ('sa', 'ca') for part in parts]
        linear = {name: nn.Linear(WIDTH, WIDTH) for name in (*names, 'ca_qpos_sine_proj')}
        out = {name: Part(out_proj=nn.Linear(WIDTH, WIDTH)) for name in ('self_attn', 'cross_attn')}
        layer = ffn(**out)
        for name, module in linear.items():
            layer.add_module(name, module)
        return layer

    def __init__(self, *args: int) -> None:
        super().__init__(*args)
        for layer in self.transformer.decoder.layers[1:]:
            del layer.ca_qpos_proj

    def decode(self, memory: Tensor, pos: Tensor, query: Tensor) -> tuple[list[Tensor], Tensor]:
        decoder = self.transformer.decoder
        reference = decoder.ref_point_head(query)
        angles = reference.sigmoid()[..., None] * 2 * math.pi
        angles = angles / 10000 ** (torch.arange(0, 128, 2, dtype=query.dtype) / 128)
        # (N, Q, 2, 128): of x and of y; y comes first.
        waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(3)
        place = waves.flip(2).flatten(2)
        x, states = torch.zeros_like(query), []
        for i, p in enumerate(decoder.layers):
            scaled = place if i == 0 else place * decoder.query_scale(x)
            q = p.sa_qcontent_proj(x) + p.sa_qpos_proj(query)
            k = p.sa_kcontent_proj(x) + p.sa_kpos_proj(query)
            attended = mix(p.self_attn, heads(q), heads(k), p.sa_v_proj(x))
            x = p.norm1(x + attended)
            q, k, kpos = p.ca_qcontent_proj(x), p.ca_kcontent_proj(memory), p.ca_kpos_proj(pos)
            if i == 0:
                q, k = q + p.ca_qpos_proj(query), k + kpos
            q = torch.cat([heads(q), heads(p.ca_qpos_sine_proj(scaled))], -1)
            k = torch.cat([heads(k), heads(kpos)], -1)
            attended = mix(p.cross_attn, q, k, p.ca_v_proj(memory))
            x = feed(p, p.norm2(x + attended), p.norm3)
            states.append(x)
        return states, reference


class Sampling(nn.Module):
    """Deformable attention, equation (2)."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        points = HEADS * levels * POINTS
        self.sampling_offsets = nn.Linear(WIDTH, 2 * points)
        self.attention_weights = nn.Linear(WIDTH, points)
        self.value_proj = nn.Linear(WIDTH, WIDTH)
        self.output_proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, query: Tensor, reference: Tensor, memory: Tensor, shapes: Tensor) -> Tensor:
        """(N, Q, C) queries at (N, Q, 2) places."""
        split = (HEADS, len(shapes), POINTS)
        value = self.value_proj(memory).unflatten(2, (HEADS, -1))
        offsets = self.sampling_offsets(query).unflatten(2, (*split, 2))
        places = reference[:, :, None, None, None] + offsets / shapes.flip(1)[:, None]
        weights = self.attention_weights(query).unflatten(2, (HEADS, -1)).softmax(-1)
        weights = weights.unflatten(3, split[1:])
        return self.output_proj(multi_scale_deformable_attn_pytorch(value, shapes, places, weights))


class DeformableDETR(nn.Module):
    """Deformable DETR on two maps and one more, with one layer of classes and boxes."""

    def __init__(self, classes: int, queries: int, encoders: int, decoders: int) -> None:
        super().__init__()
        self.transformer = Part(
            encoder=layers(lambda: ffn(self_attn=Sampling(3)), encoders),
            decoder=layers(lambda: ffn(cross_attn=Sampling(3), self_attn=attention()), decoders),
            reference_points=nn.Linear(WIDTH, 2),
        )
        self.transformer.level_embed = nn.Parameter(torch.zeros(3, WIDTH))
        self.class_embed = nn.ModuleList([nn.Linear(WIDTH, classes)] * decoders)
        self.bbox_embed = nn.ModuleList([MLP(WIDTH, WIDTH, WIDTH, 4)] * decoders)
        self.query_embed = nn.Embedding(queries, 2 * WIDTH)
        convs = [nn.Conv2d(64, WIDTH, 1), nn.Conv2d(128, WIDTH, 1)]
        convs.append(nn.Conv2d(128, WIDTH, 3, stride=2, padding=1))
        self.input_proj = nn.ModuleList(
            nn.Sequential(conv, nn.GroupNorm(32, WIDTH)) for conv in convs
        )
        self.backbone = body(3, 4)

    def forward(self, images: Tensor, positions: Positions) -> tuple[Tensor, Tensor]:
        maps = self.backbone[0].body(images)
        maps = [proj(x) for proj, x in zip(self.input_proj, [*maps, maps[-1]])]
        shapes = torch.tensor([x.shape[2:] for x in maps])
        part, memory = self.transformer, torch.cat([rows(x) for x in maps], 1)
        pos = [rows(positions(x)) + e for x, e in zip(maps, part.level_embed)]
        pos, cells = torch.cat(pos, 1), torch.cat([centers(x) for x in maps])
        cells = cells.expand(len(images), -1, -1)
        for layer in part.encoder.layers:
            attended = layer.self_attn(memory + pos, cells, memory, shapes)
            memory = feed(layer, layer.norm1(memory + attended), layer.norm2)
        query, x = self.query_embed.weight.expand(len(images), -1, -1).split(WIDTH, 2)
        reference = part.reference_points(query)
        scores, boxes = [], []
        for i, layer in enumerate(part.decoder.layers):
            # The norms are numbered by when they are made, not by when they are used.
            x = layer.norm2(x + attend(layer.self_attn, x + query, x + query, x))
            attended = layer.cross_attn(x + query, reference.sigmoid(), memory, shapes)
            x = feed(layer, layer.norm1(x + attended), layer.norm3)
            scores.append(self.class_embed[i](x))
            box = self.bbox_embed[i](x)
            boxes.append(torch.cat([box[..., :2] + reference, box[..., 2:]], -1).sigmoid())
        return torch.stack(scores), torch.stack(boxes)


def centers(maps: Tensor) -> Tensor:
    """Centers of the cells of a map, (h w, 2), x and y from 0 to 1."""
    height, width = maps.shape[2:]
    y = (torch.arange(height, dtype=maps.dtype) + 0.5) / height
    x = (torch.arange(width, dtype=maps.dtype) + 0.5) / width
    return torch.stack([x.expand(height, -1), y[:, None].expand(-1, width)], -1).flatten(0, 1)


OFFICIAL = {
    'detr': DETR,
    'conditional-detr': ConditionalDETR,
    'deformable-detr': DeformableDETR,
}
