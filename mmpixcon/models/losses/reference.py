"""PixCon's equations (3) to (5), dense and slow, to be read beside the paper."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry import PixelPairs, ViewGrid
from .functional import NORM_EPS


def raw_point(view: ViewGrid, row: int, col: int) -> tuple[Tensor, bool]:
    """Centre of one cell in raw pixels, and whether it lies on image."""
    (h, w), (height, width) = view.map_shape, view.input_shape
    x, y = (col + 0.5) * width / w, (row + 0.5) * height / h
    point = torch.linalg.solve(view.homography, torch.tensor([x, y, 1.0], dtype=torch.float64))
    return point[:2] / point[2], x <= view.img_shape[1] and y <= view.img_shape[0]


def all_points(view: ViewGrid) -> tuple[Tensor, Tensor]:
    """(n, 2) raw centres and (n,) validity, cell by cell."""
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


def dense_cosine(query: Tensor, key: Tensor, pairs: PixelPairs) -> Tensor:
    """Equation (5) of one image, maps (C, h, w)."""
    positive, _, anchors, _ = dense_masks(pairs)
    q = F.normalize(query.flatten(1).T, dim=1, eps=NORM_EPS)
    k = F.normalize(key.detach().flatten(1).T, dim=1, eps=NORM_EPS)
    cosine = q @ k.T
    losses = [-cosine[i][positive[i]].mean() for i in anchors.nonzero()[:, 0]]
    return torch.stack(losses).mean() if losses else query.sum() * 0


def dense_nce(query: Tensor, key: Tensor, pairs: PixelPairs, tau: float) -> Tensor:
    """Equation (4) of one image, maps (C, h, w)."""
    positive, negative, anchors, _ = dense_masks(pairs)
    q = F.normalize(query.flatten(1).T, dim=1, eps=NORM_EPS)
    k = F.normalize(key.detach().flatten(1).T, dim=1, eps=NORM_EPS)
    s = q @ k.T / tau
    losses = []
    for i in anchors.nonzero()[:, 0]:
        log_z = torch.logsumexp(s[i][negative[i]], 0)
        terms = [torch.logaddexp(s_ip, log_z) - s_ip for s_ip in s[i][positive[i]]]
        losses.append(torch.stack(terms).mean())
    return torch.stack(losses).mean() if losses else query.sum() * 0
