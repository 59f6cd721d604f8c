"""Triton kernels of the pixel losses, where PyTorch would need dozens of small operators a block.

Places of cells are float64, as everywhere in the geometry; a place that does not count is NaN,
which is near nothing. Features are float32. No kernel waits for the device, and none needs to know
on the CPU where positives are.

The kernels use what Triton has had since 2.1 only.
"""

# No `from __future__ import annotations`: annotations would be strings, and the interpreter of
# Triton 3.0 and 3.1 does not know 'tl.constexpr' for tl.constexpr.

import contextlib

import torch
import triton
import triton.language as tl
from torch import Tensor

#: Anchors, keys and channels of a tile of sums. Products of float32 hold both of their tiles in
#: registers: these take half of them, and larger ones spill.
SUM_TILE = dict(BLOCK_A=32, BLOCK_K=16, BLOCK_C=64)
#: Anchors and keys of a tile of similarities.
ROW_TILE = dict(BLOCK_A=4, BLOCK_K=256)


@triton.jit
def _near(x, y, key_ptr, columns, limit, keys):
    """Tell which keys lie within the threshold of each anchor, and which exist."""
    inside = columns < keys
    key_x = tl.load(key_ptr + 2 * columns, mask=inside, other=float('nan'))
    key_y = tl.load(key_ptr + 2 * columns + 1, mask=inside, other=float('nan'))
    across = x[:, None] - key_x[None, :]
    down = y[:, None] - key_y[None, :]
    return across * across + down * down <= limit, key_x == key_x


@triton.jit
def _positive_sums_kernel(
    query_ptr,
    key_ptr,
    limit_ptr,
    features_ptr,
    sums_ptr,
    count_ptr,
    anchors,
    keys,
    CHANNELS: tl.constexpr,
    BLOCK_A: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Sum of some channels of the positives of a block of anchors, for one image."""
    image = tl.program_id(1).to(tl.int64)
    row = tl.program_id(0) * BLOCK_A + tl.arange(0, BLOCK_A)
    rows = row < anchors
    channel = tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    channels = channel < CHANNELS
    query_ptr += image * anchors * 2
    key_ptr += image * keys * 2
    features_ptr += image * keys * CHANNELS
    x = tl.load(query_ptr + 2 * row, mask=rows, other=float('nan'))
    y = tl.load(query_ptr + 2 * row + 1, mask=rows, other=float('nan'))
    limit = tl.load(limit_ptr + image)
    total = tl.zeros((BLOCK_A, BLOCK_C), dtype=tl.float32)
    count = tl.zeros((BLOCK_A,), dtype=tl.float32)
    for start in range(0, keys, BLOCK_K):
        column = start + tl.arange(0, BLOCK_K)
        near, _ = _near(x, y, key_ptr, column, limit, keys)
        near = near.to(tl.float32)
        found = tl.sum(near, 1)
        # Most keys are far from all anchors of the block.
        if tl.max(found, 0) > 0:
            mask = (column < keys)[:, None] & channels[None, :]
            source = features_ptr + (column * CHANNELS)[:, None] + channel[None, :]
            features = tl.load(source, mask=mask, other=0.0)
            total += tl.dot(near, features, allow_tf32=False)
            count += found
    target = sums_ptr + image * anchors * CHANNELS + (row * CHANNELS)[:, None] + channel[None, :]
    tl.store(target, total, mask=rows[:, None] & channels[None, :])
    if tl.program_id(2) == 0:
        tl.store(count_ptr + image * anchors + row, count, mask=rows)


@triton.jit
def _nce_rows_kernel(
    s_ptr,
    anchor_ptr,
    query_ptr,
    key_ptr,
    limit_ptr,
    loss_ptr,
    count_ptr,
    anchors,
    keys,
    BLOCK_A: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Turn rows of similarities into their gradients; loss and number of positives of each row.

    See ``_PixelNCE`` for the equations. A row is read four times: for its largest value, for the
    sum over negatives, for the positives, and to become its gradient.
    """
    row = tl.program_id(0) * BLOCK_A + tl.arange(0, BLOCK_A)
    rows = row < anchors
    anchor = tl.load(anchor_ptr + row, mask=rows, other=0)
    x = tl.load(query_ptr + 2 * anchor, mask=rows, other=float('nan'))
    y = tl.load(query_ptr + 2 * anchor + 1, mask=rows, other=float('nan'))
    limit = tl.load(limit_ptr)
    place = s_ptr + (row.to(tl.int64) * keys)[:, None]
    none = float('-inf')

    top = tl.full((BLOCK_A,), none, dtype=tl.float32)
    for start in range(0, keys, BLOCK_K):
        column = start + tl.arange(0, BLOCK_K)
        mask = rows[:, None] & (column < keys)[None, :]
        _, exists = _near(x, y, key_ptr, column, limit, keys)
        s = tl.load(place + column[None, :], mask=mask, other=none)
        top = tl.maximum(top, tl.max(tl.where(exists[None, :], s, none), 1))
    top = tl.where(top == none, 0.0, top)

    z = tl.zeros((BLOCK_A,), dtype=tl.float32)
    count = tl.zeros((BLOCK_A,), dtype=tl.float32)
    for start in range(0, keys, BLOCK_K):
        column = start + tl.arange(0, BLOCK_K)
        mask = rows[:, None] & (column < keys)[None, :]
        near, exists = _near(x, y, key_ptr, column, limit, keys)
        s = tl.load(place + column[None, :], mask=mask, other=none) - top[:, None]
        z += tl.sum(tl.where(near, 0.0, tl.where(exists[None, :], tl.exp(s), 0.0)), 1)
        count += tl.sum(near.to(tl.float32), 1)
    log_z = tl.log(z)
    weight = tl.where(count > 0, 1.0 / tl.maximum(count, 1.0), 0.0)

    loss = tl.zeros((BLOCK_A,), dtype=tl.float32)
    inverse = tl.zeros((BLOCK_A,), dtype=tl.float32)
    for start in range(0, keys, BLOCK_K):
        column = start + tl.arange(0, BLOCK_K)
        near, _ = _near(x, y, key_ptr, column, limit, keys)
        if tl.max(tl.sum(near.to(tl.float32), 1), 0) > 0:
            mask = rows[:, None] & (column < keys)[None, :]
            s = tl.load(place + column[None, :], mask=mask, other=0.0) - top[:, None]
            high = tl.maximum(s, log_z[:, None])
            low = tl.minimum(s, log_z[:, None])
            log_denominator = high + tl.log(1.0 + tl.exp(low - high))
            loss += tl.sum(tl.where(near, log_denominator - s, 0.0), 1)
            inverse += tl.sum(tl.where(near, tl.exp(-log_denominator), 0.0), 1)
    # Without a negative the loss is 0, and so is its gradient.
    factor = tl.where(z > 0, inverse * weight, 0.0)

    for start in range(0, keys, BLOCK_K):
        column = start + tl.arange(0, BLOCK_K)
        mask = rows[:, None] & (column < keys)[None, :]
        near, exists = _near(x, y, key_ptr, column, limit, keys)
        s = tl.load(place + column[None, :], mask=mask, other=0.0) - top[:, None]
        negative = tl.where(exists[None, :], tl.exp(s) * factor[:, None], 0.0)
        positive = -weight[:, None] / (1.0 + tl.exp(s - log_z[:, None]))
        tl.store(place + column[None, :], tl.where(near, positive, negative), mask=mask)
    tl.store(loss_ptr + row, loss * weight, mask=rows)
    tl.store(count_ptr + row, count, mask=rows)


def positive_sums(
    query: Tensor, key: Tensor, threshold: Tensor, features: Tensor
) -> tuple[Tensor, Tensor]:
    """Sum the features of each anchor's positives, equation (3), all images at once.

    Args:
        query (Tensor): Places of n cells, (N, n, 2) float64; NaN where a cell is no anchor.
        key (Tensor): Places of m keys, (N, m, 2) float64; NaN on padding.
        threshold (Tensor): th, (N, ) float64.
        features (Tensor): Features of the keys, (N, m, C) float32.

    Returns:
        tuple[Tensor, Tensor]: (N, n, C) and the number of positives, (N, n), float32.
    """
    images, anchors, keys, channels = *query.shape[:2], *features.shape[1:]
    sums = features.new_empty(images, anchors, channels)
    count = features.new_empty(images, anchors)
    arguments = [query.contiguous(), key.contiguous(), threshold.square(), features.contiguous()]
    tiles = triton.cdiv(anchors, SUM_TILE['BLOCK_A']), triton.cdiv(channels, SUM_TILE['BLOCK_C'])
    with _on(query):
        _positive_sums_kernel[tiles[0], images, tiles[1]](
            *arguments, sums, count, anchors, keys, CHANNELS=channels, **SUM_TILE
        )
    return sums, count


def nce_rows(
    s: Tensor, anchors: Tensor, query: Tensor, key: Tensor, threshold: Tensor
) -> tuple[Tensor, Tensor]:
    """L_NCE of some anchors of one image, whose similarities become their gradients in place.

    Args:
        s (Tensor): Similarities divided by tau, (B, m) float32, contiguous; overwritten.
        anchors (Tensor): (B, ) indices of the anchors.
        query (Tensor): Places of n cells, (n, 2) float64; NaN where a cell is no anchor.
        key (Tensor): Places of m keys, (m, 2) float64; NaN on padding.
        threshold (Tensor): th, scalar, float64.

    Returns:
        tuple[Tensor, Tensor]: Loss of each anchor and number of its positives, (B, ), float32.
    """
    loss, count = s.new_empty(2, len(s))
    grid = (triton.cdiv(len(s), ROW_TILE['BLOCK_A']),)
    places = query.contiguous(), key.contiguous(), threshold.square()
    with _on(s):
        _nce_rows_kernel[grid](s, anchors, *places, loss, count, *s.shape, **ROW_TILE)
    return loss, count


def _on(tensor: Tensor) -> contextlib.AbstractContextManager:
    """Triton starts kernels on the current device, which need not be that of the tensors."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else contextlib.nullcontext()
