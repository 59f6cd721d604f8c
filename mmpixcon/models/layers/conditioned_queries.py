"""Features added to the object queries of a stock detection transformer as it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.models.detectors import DABDETR, DETR, DetectionTransformer
from torch import Tensor


def num_matching_queries(detector: DetectionTransformer) -> int:
    """Queries that predict boxes, denoising ones not counted; patterns multiply them."""
    return detector.num_queries * max(getattr(detector, 'num_patterns', 0), 1)


@contextmanager
def conditioned_queries(
    detector: DetectionTransformer, features: Tensor, hidden: Tensor | None = None
) -> Iterator[None]:
    """Add features to the object queries, and hide queries from each other.

    Object queries are what the detector has learned for them, and so features go

    - to the position in DETR and Conditional DETR, whose content is zero;
    - to the position in one-stage Deformable DETR, before the reference points are computed
      from it: where a query begins to look depends on its feature, as in the releases of
      Siamese DETR and UP-DETR;
    - to the content in all others, whose positions are boxes.

    Denoising queries stand in front and stay as they are. The stock code runs otherwise: what
    the decoder takes is changed on its threshold.

    Args:
        detector (DetectionTransformer): Any of mmdet's, or of mmpixcon's.
        features (Tensor): (N, Q, C), one row for each of the ``num_queries``; with
            patterns, each of them gets the same.
        hidden (Tensor, optional): (Q, Q) bool, True where a query (row) may not see
            another (column) in self-attention. Defaults to None, all are seen.

    Yields:
        None: While it holds.
    """
    repeats = num_matching_queries(detector) // detector.num_queries
    # Deformable DETR has it in one stage only.
    makes_references = hasattr(detector, 'reference_points_fc')
    in_position = isinstance(detector, DETR) and not isinstance(detector, DABDETR)
    name = 'query_pos' if in_position or makes_references else 'query'

    def add(queries: Tensor) -> Tensor:
        added = features.repeat(1, repeats, 1).to(queries)
        front = queries.shape[1] - added.shape[1]
        if front:
            added = torch.nn.functional.pad(added, (0, 0, front, 0))
        return queries + added

    def add_before_decoder(
        module: torch.nn.Module, args: tuple, kwargs: dict[str, Any]
    ) -> tuple[tuple, dict[str, Any]]:
        return args, {**kwargs, name: add(kwargs[name])}

    def pre_decoder(*args: Any, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        decoder_inputs, head_inputs = stock_pre_decoder(*args, **kwargs)
        position = add(decoder_inputs['query_pos'])
        references = detector.reference_points_fc(position).sigmoid()
        return {
            **decoder_inputs,
            'query_pos': position,
            'reference_points': references,
        }, head_inputs

    def hide(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        assert hidden is not None
        mask = hidden.repeat(repeats, repeats)
        front = kwargs['query'].shape[1] - len(mask)
        if front:
            mask = torch.nn.functional.pad(mask, (front, 0, front, 0))
        stock = kwargs.get('attn_mask')
        return args, {**kwargs, 'attn_mask': mask if stock is None else stock | mask}

    decoder = detector.decoder
    handles = []
    stock_pre_decoder = detector.pre_decoder
    if makes_references:
        # The reference points go to the head too, and not through the decoder.
        detector.pre_decoder = pre_decoder
    else:
        handles.append(decoder.register_forward_pre_hook(add_before_decoder, with_kwargs=True))
    if hidden is not None:
        handles += [
            layer.self_attn.register_forward_pre_hook(hide, with_kwargs=True)
            for layer in decoder.layers
        ]
    try:
        yield
    finally:
        if makes_references:
            # The method is the class's still.
            del detector.pre_decoder
        for handle in handles:
            handle.remove()
