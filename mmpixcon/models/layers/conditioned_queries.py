"""Features added to the object queries of a stock detection transformer as it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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

    Object queries are what the detector has learned for them: DETR's and Conditional DETR's
    positions, since their content is zero; the content of all others. Denoising queries
    stand in front and stay as they are. The stock code runs otherwise: the decoder's
    arguments are changed on its threshold.

    Args:
        detector (DetectionTransformer): Any of mmdet's, or of mmpixcon's.
        features (Tensor): (N, Q, C), one row for each of the ``num_queries``; with
            patterns, each of them gets the same.
        hidden (Tensor, optional): (Q, Q) bool, True where a query (row) may not see
            another (column) in self-attention. Defaults to None, all are seen.

    Yields:
        None: While it holds.
    """
    in_position = isinstance(detector, DETR) and not isinstance(detector, DABDETR)
    name = 'query_pos' if in_position else 'query'
    repeats = num_matching_queries(detector) // detector.num_queries

    def add(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        queries = kwargs[name]
        added = features.repeat(1, repeats, 1).to(queries)
        front = queries.shape[1] - added.shape[1]
        if front:
            kept = added.new_zeros(len(added), front, added.shape[2])
            added = torch.cat([kept, added], dim=1)
        return args, {**kwargs, name: queries + added}

    def hide(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        assert hidden is not None
        mask = hidden.repeat(repeats, repeats)
        front = kwargs['query'].shape[1] - len(mask)
        if front:
            mask = torch.nn.functional.pad(mask, (front, 0, front, 0))
        stock = kwargs.get('attn_mask')
        return args, {**kwargs, 'attn_mask': mask if stock is None else stock | mask}

    decoder = detector.decoder
    handles = [decoder.register_forward_pre_hook(add, with_kwargs=True)]
    if hidden is not None:
        handles += [
            layer.self_attn.register_forward_pre_hook(hide, with_kwargs=True)
            for layer in decoder.layers
        ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
