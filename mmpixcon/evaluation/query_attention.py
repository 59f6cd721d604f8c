"""Attention and predictions of the object queries of a detection transformer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from mmcv.cnn.bricks.transformer import MultiheadAttention
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.detectors import DetectionTransformer
from mmdet.models.layers.transformer import ConditionalAttention
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps
from torch import Tensor, nn

from mmpixcon.models.capture import recorded_calls


@dataclass(frozen=True)
class QueryAttention:
    """Predictions and cross-attention of Q queries on N images.

    Attention is the mean of the heads, so that it sums to 1 for each query. It has either
    weights of the cells of one map or, for deformable attention, of sampling points.

    Attributes:
        boxes (Tensor): (N, Q, 4), x1, y1, x2, y2 in pixels of the input.
        scores (Tensor): (N, Q), of the best class.
        weights (Tensor | None): (N, Q, h, w), cells of the map over the padded input.
        points (Tensor | None): (N, Q, P, 3), x and y in pixels of the input, and weight, of
            all heads, levels and points of a head, in this order. What lies outside of the
            padded input or on padding reads 0.
    """

    boxes: Tensor
    scores: Tensor
    weights: Tensor | None
    points: Tensor | None


@torch.no_grad()
def query_attention(
    detector: nn.Module, inputs: Tensor, samples: SampleList, layer: int = -1
) -> QueryAttention:
    """Run a detection transformer and read the cross-attention of its decoder.

    Args:
        detector (nn.Module): DETR, Conditional DETR, DAB-DETR, DN-DETR, Deformable DETR, DINO,
            DN-Deformable-DETR or another of mmdet's with their attention, in evaluation mode.
        inputs (Tensor): Normalized images, (N, 3, H, W), of the detector's preprocessor.
        samples (SampleList): samples of the N images.
        layer (int): index of a decoder layer. Defaults to -1, the last.

    Returns:
        QueryAttention: Predictions are those of the last layer.

    Raises:
        ValueError: It has no decoder of object queries, or one with another attention.
    """
    attention = _cross_attention(detector, layer)
    model: Any = detector
    with _recorded(attention) as record:
        maps = model.extract_feat(inputs)
        logits, boxes = model.bbox_head(**model.forward_transformer(maps, samples))[:2]
    if model.bbox_head.loss_cls.use_sigmoid:
        scores = logits[-1].sigmoid()
    else:
        scores = logits[-1].softmax(-1)[..., :-1]
    sizes = boxes.new_tensor([[*sample.img_shape[1::-1]] * 2 for sample in samples])
    weights = points = None
    if isinstance(attention, MultiScaleDeformableAttention):
        points = _sampling_points(attention, record, inputs.shape[2:])
    else:
        # DETR's transformer takes the last map.
        weights = record['weights'].unflatten(2, maps[-1].shape[2:])
    return QueryAttention(
        bbox_cxcywh_to_xyxy(boxes[-1]) * sizes[:, None], scores.amax(-1), weights, points
    )


def _cross_attention(detector: nn.Module, layer: int) -> nn.Module:
    """The attention of a decoder layer to the image."""
    name = type(detector).__name__
    if not isinstance(detector, DetectionTransformer):
        raise ValueError(
            f'{name} has no decoder with object queries; attention is drawn for DETR, Conditional '
            'DETR, DAB-DETR, DN-DETR, Deformable DETR, DINO and DN-Deformable-DETR'
        )
    layers = detector.decoder.layers
    if not -len(layers) <= layer < len(layers):
        raise ValueError(f'layer = {layer}: the decoder of {name} has {len(layers)} layers')
    attention = getattr(layers[layer], 'cross_attn', None)
    known = (MultiheadAttention, ConditionalAttention, MultiScaleDeformableAttention)
    if not isinstance(attention, known):
        raise ValueError(
            f'{name}: the cross-attention of its decoder is {type(attention).__name__}, not one '
            f'of {", ".join(kind.__name__ for kind in known)}'
        )
    return attention


@contextmanager
def _recorded(attention: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Keep what a cross-attention computes and does not return.

    Yields:
        dict: ``weights`` (N, Q, cells), the mean of the heads; of deformable attention
        ``offsets``, ``logits``, ``reference_points`` and ``spatial_shapes``.
    """
    record: dict[str, Any] = {}
    handles = []

    def keep(name: str, index: int | None = None):
        def hook(module: nn.Module, args: tuple, output: Tensor | tuple) -> None:
            record[name] = output if index is None else output[index]

        return hook

    def keep_arguments(module: nn.Module, args: tuple, kwargs: dict, output: Tensor) -> None:
        record.update({name: kwargs[name] for name in ('reference_points', 'spatial_shapes')})

    if isinstance(attention, MultiScaleDeformableAttention):
        handles = [
            attention.register_forward_hook(keep_arguments, with_kwargs=True),
            attention.sampling_offsets.register_forward_hook(keep('offsets')),
            attention.attention_weights.register_forward_hook(keep('logits')),
        ]
    elif isinstance(attention, MultiheadAttention):
        # torch's, within mmcv's, returns both; mmcv drops the second.
        handles = [attention.attn.register_forward_hook(keep('weights', 1))]
    else:
        # A method, not a module: mmdet drops what it returns second as well.
        with recorded_calls(attention, 'forward_attn') as calls:
            yield record
        record['weights'] = calls[-1].output[1]
        return
    try:
        yield record
    finally:
        for handle in handles:
            handle.remove()


def _sampling_points(
    attention: MultiScaleDeformableAttention, record: dict[str, Tensor], size: Sequence[int]
) -> Tensor:
    """Places and weights of deformable attention, Deformable DETR's equation (3).

    Returns:
        Tensor: (N, Q, heads * levels * points, 3), x, y in pixels of the input (H, W).
    """
    shape = (attention.num_heads, attention.num_levels, attention.num_points)
    offsets = record['offsets'].unflatten(2, (*shape, 2))
    weights = record['logits'].unflatten(2, (shape[0], -1)).softmax(-1) / shape[0]
    reference = record['reference_points'][:, :, None, :, None]
    if reference.shape[-1] == 2:
        # In cells of each level.
        scale = 1 / record['spatial_shapes'].flip(-1)[:, None]
    else:
        # In shares of the reference box.
        scale = reference[..., 2:] * 0.5 / attention.num_points
    places = reference[..., :2] + offsets * scale
    places = places * places.new_tensor([size[1], size[0]])
    return torch.cat([places.flatten(2, 4), weights.flatten(2)[..., None]], -1)


def best_queries(scores: Tensor, count: int) -> list[int]:
    """Queries with the highest scores, (Q, ), the best first; ``count`` of them or all."""
    return scores.topk(min(count, len(scores)))[1].tolist()


def queries_of_objects(
    boxes: Sequence[Tensor], objects: Tensor, count: int
) -> tuple[list[int], list[list[int]]]:
    """The objects that predictions fit best, and of each model the query that fits each.

    Models are compared on the same objects: those with the highest mean, over the models, of
    the IoU with the best box.

    Args:
        boxes (Sequence[Tensor]): (Q, 4) of each model, x1, y1, x2, y2.
        objects (Tensor): (G, 4), in the same pixels.
        count (int): number of objects; all where there are fewer.

    Returns:
        tuple: Indices of the objects, the best first; for each model those of the queries.
    """
    overlaps, queries = zip(*(bbox_overlaps(predictions, objects).max(0) for predictions in boxes))
    chosen = torch.stack(overlaps).mean(0).topk(min(count, len(objects)))[1]
    return chosen.tolist(), [indices[chosen].tolist() for indices in queries]
