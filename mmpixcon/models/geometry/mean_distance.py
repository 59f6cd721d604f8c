"""The mean distance of the cells of two views, without a look at all pairs."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Maps of so many cells are not summed up.
MAX_TILES = 1024
# Pairs of tiles that a CPU compares at a time.
CPU_PAIRS = 1 << 17
# Numbers that a tile is described by: weight, center x and y, variances xx, xy, yy.
MOMENTS = 6


def tile_moments(
    points: Tensor, valid: Tensor, map_shape: tuple[int, int], max_tiles: int = MAX_TILES
) -> Tensor:
    """Sum up the cells of a map in square tiles.

    Args:
        points (Tensor): (h * w, 2) float64, where the cells' centers lie, row by row.
        valid (Tensor): (h * w, ) bool, which cells count.
        map_shape (tuple[int, int]): (h, w).
        max_tiles (int): If there are no more cells than these, each is a tile of its own. Else
            tiles are as small as this number allows, whole rows and columns of them.

    Returns:
        Tensor: (tiles, 6): number of cells, their mean (x, y), and the variances xx, xy, yy
        about it, which are 0 in a tile of one cell.
    """
    h, w = map_shape
    side = 1
    while math.ceil(h / side) * math.ceil(w / side) > max_tiles:
        side += 1
    points = points.masked_fill(~valid[:, None], 0).view(h, w, 2)
    cells = torch.cat([valid.view(h, w, 1).to(points), points], dim=2)
    cells = F.pad(cells, (0, 0, 0, -w % side, 0, -h % side))
    cells = cells.unflatten(0, (-1, side)).unflatten(2, (-1, side))
    cells = cells.transpose(1, 2).flatten(0, 1).flatten(1, 2)
    weight, points = cells[..., :1], cells[..., 1:]
    total = weight.sum(1)
    centre = points.sum(1) / total.clamp(min=1)
    x, y = ((points - centre[:, None]) * weight).unbind(2)
    products = torch.stack([(x * x).sum(1), (x * y).sum(1), (y * y).sum(1)], dim=1)
    return torch.cat([total, centre, products / total.clamp(min=1)], dim=1)


def mean_distance(query: Tensor, key: Tensor, exact: bool, upper: bool = False) -> Tensor:
    r"""Mean Euclidean distance of the cells of two views.

    Of two tiles whose centers lie :math:`d` apart, :math:`\Sigma` the sum of the covariances of
    their cells' positions, the mean distance is taken for

    .. math:: \sqrt{|d|^2 + \mathrm{tr} \Sigma
        - d^\top \Sigma d / (|d|^2 + \mathrm{tr} \Sigma)},

    which is exact for single cells and else to the second order in the size of tiles. As a norm
    is convex and a root concave, the true mean lies between those of :math:`|d|` and of
    :math:`\sqrt{|d|^2 + \mathrm{tr} \Sigma}`, and so does this one.

    Args:
        query (Tensor): tiles of N views, (N, tiles, 6), from :func:`tile_moments`.
        key (Tensor): tiles of N other views, (N, tiles, 6).
        exact (bool): whether all tiles are single cells.
        upper (bool): whether the upper bound is asked for. Defaults to False.

    Returns:
        Tensor: (N, ); 0 where a view has no cell.
    """
    # What a CPU's cache holds; a GPU takes all at once.
    rows = query.shape[1] if query.is_cuda else max(1, CPU_PAIRS // key.shape[1])
    totals = []
    for part in query.split(rows, dim=1):
        if exact and not query.is_cuda:
            # One pass on a CPU; on a GPU a block of threads for each pair.
            centres = part[..., 1:3], key[..., 1:3]
            distance = torch.cdist(*centres, compute_mode='donot_use_mm_for_euclid_dist')
        else:
            distance = _distances(part, key, exact, upper)
        totals.append(torch.bmm(torch.bmm(part[:, None, :, 0], distance), key[:, :, :1]))
    total = torch.cat(totals, dim=1).sum((1, 2))
    return total / (query[..., 0].sum(1) * key[..., 0].sum(1)).clamp(min=1)


def _distances(query: Tensor, key: Tensor, exact: bool, upper: bool) -> Tensor:
    """Compute what :func:`mean_distance` averages, (N, tiles, tiles)."""
    x, y = (query[:, :, None, i] - key[:, None, :, i] for i in (1, 2))
    square = (x * x).addcmul_(y, y)
    if not exact:
        xx, xy, yy = (query[:, :, None, i] + key[:, None, :, i] for i in (3, 4, 5))
        square += xx
        square += yy
        if not upper:
            # d^T Sigma d, in the place of what is not needed any more.
            along = xx.mul_(x).addcmul_(xy, y, value=2).mul_(x).addcmul_(yy.mul_(y), y)
            square -= along.div_(square.clamp(min=torch.finfo(square.dtype).tiny))
    return square.sqrt_()
