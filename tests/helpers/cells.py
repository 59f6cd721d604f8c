"""Cells of two views and their distances, one by one, by PixCon's definitions."""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor

from mmpixcon.models.geometry import PixelPairs, ViewGrid


def raw_point(view: ViewGrid, row: int, col: int) -> tuple[Tensor, bool]:
    """Centre of one cell in raw pixels, and whether it lies on image."""
    (h, w), (height, width) = view.map_shape, view.input_shape
    x, y = (col + 0.5) * width / w, (row + 0.5) * height / h
    point = torch.linalg.solve(view.homography, torch.tensor([x, y, 1.0], dtype=torch.float64))
    return point[:2] / point[2], x <= view.img_shape[1] and y <= view.img_shape[0]


def all_points(view: ViewGrid) -> tuple[Tensor, Tensor]:
    """(n, 2) raw centers and (n,) validity, cell by cell."""
    h, w = view.map_shape
    points, valid = zip(*(raw_point(view, r, c) for r in range(h) for c in range(w)))
    return torch.stack(points), torch.tensor(valid)


def dense_masks(pairs: PixelPairs) -> tuple[Tensor, Tensor, Tensor, float]:
    """Positives and negatives (n, m), anchors (n,) and th, by the definitions."""
    query, query_valid = all_points(pairs.query)
    key, key_valid = all_points(pairs.key)
    distance = (query[:, None] - key[None]).square().sum(-1).sqrt()
    both = query_valid[:, None] & key_valid[None]
    th = distance[both].sum() / max(int(both.sum()), 1) / pairs.S
    positive = (distance <= th) & both
    negative = (distance > th) & both
    in_key = torch.cat([query, torch.ones(len(query), 1)], 1).double() @ pairs.key.homography.T
    in_key = in_key[:, :2] / in_key[:, 2:]
    height, width = pairs.key.img_shape
    inside = (in_key >= 0).all(1) & (in_key[:, 0] <= width) & (in_key[:, 1] <= height)
    return positive, negative, inside & positive.any(1), float(th)


def random_view(rng: random.Random, rotate: bool = False) -> ViewGrid:
    """A crop, resize, maybe flip or rotation of a 200 x 160 image, padded."""
    crop_w, crop_h = rng.uniform(60, 200), rng.uniform(50, 160)
    left, top = rng.uniform(0, 200 - crop_w), rng.uniform(0, 160 - crop_h)
    width, height = rng.randint(40, 100), rng.randint(40, 100)
    matrix = torch.tensor([[width / crop_w, 0, 0], [0, height / crop_h, 0], [0, 0, 1.0]])
    matrix = matrix.double() @ torch.tensor([[1, 0, -left], [0, 1, -top], [0, 0, 1.0]]).double()
    if rng.random() < 0.5:
        flip = torch.tensor([[-1, 0, float(width)], [0, 1, 0], [0, 0, 1]]).double()
        matrix = flip @ matrix
    if rotate:
        angle = rng.uniform(-0.6, 0.6)
        cos, sin = math.cos(angle), math.sin(angle)
        turn = torch.tensor([[cos, -sin, 9.0], [sin, cos, -7.0], [1e-4, -2e-4, 1]]).double()
        matrix = turn @ matrix
    pad_w, pad_h = width + rng.choice([0, 0, 13, 40]), height + rng.choice([0, 0, 9, 31])
    return ViewGrid(
        matrix, (rng.randint(2, 11), rng.randint(2, 11)), (pad_h, pad_w), (height, width)
    )


def random_case(seed: int, dtype: torch.dtype, channels: int = 7):
    """Maps of a batch of 3 with their geometry; the third has no overlap."""
    rng = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    first = PixelPairs(random_view(rng), random_view(rng), S=rng.choice([3.0, 5.0, 9.0]))
    queries, keys, pairs = [], [], []
    for k in range(3):
        query, key = random_view(rng, rotate=k == 1), random_view(rng, rotate=seed % 2 == 1)
        if k == 2:
            far = torch.tensor([[1, 0, 900.0], [0, 1, 900], [0, 0, 1]]).double()
            key = ViewGrid(far @ key.homography, key.map_shape, key.input_shape, key.img_shape)
        query, key = (
            ViewGrid(view.homography, shape, view.input_shape, view.img_shape)
            for view, shape in ((query, first.query.map_shape), (key, first.key.map_shape))
        )
        pairs.append(PixelPairs(query, key, S=first.S))
        queries.append(torch.randn(channels, *query.map_shape, generator=generator))
        keys.append(torch.randn(channels, *key.map_shape, generator=generator))
    query = torch.stack(queries).to(dtype).requires_grad_()
    return query, torch.stack(keys).to(dtype), pairs
