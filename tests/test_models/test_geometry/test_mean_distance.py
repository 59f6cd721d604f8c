"""The mean distance of cells by tiles, beside that of all pairs."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from mmpixcon.models.geometry import PixelPairs, ViewGrid
from mmpixcon.models.geometry.mean_distance import MAX_TILES, mean_distance, tile_moments
from tests.helpers.cells import random_view


def dense_mean(query: ViewGrid, key: ViewGrid) -> float:
    """Of all pairs on image."""
    distance = torch.cdist(
        query.raw_centres[query.valid],
        key.raw_centres[key.valid],
        compute_mode='donot_use_mm_for_euclid_dist',
    )
    return distance.mean().item()


def by_tiles(query: ViewGrid, key: ViewGrid, tiles: int, upper: bool = False) -> float:
    parts = [
        tile_moments(view.raw_centres, view.valid, view.map_shape, tiles)[None]
        for view in (query, key)
    ]
    exact = [part.shape[1] for part in parts] == [len(v.centres) for v in (query, key)]
    return mean_distance(*parts, exact=exact, upper=upper).item()


@pytest.mark.parametrize('rotate', [False, True])
@pytest.mark.parametrize('seed', range(6))
def test_single_cells_are_exact_and_tiles_are_within_the_bounds(seed, rotate):
    rng = random.Random(seed)
    query, key = random_view(rng, rotate), random_view(rng)
    expected = dense_mean(query, key)
    assert by_tiles(query, key, 1000) == pytest.approx(expected, rel=1e-12)
    for tiles in (1, 4, 12):
        actual = by_tiles(query, key, tiles)
        upper = by_tiles(query, key, tiles, upper=True)
        assert expected <= upper * (1 + 1e-12) and actual <= upper
        assert actual == pytest.approx(expected, rel=0.25)


def large_views(kind: str, cells: tuple[int, int]) -> tuple[ViewGrid, ViewGrid]:
    """Views of 800 x 1216 with h x w cells: the whole image, and a part of it or beside it."""
    size = (800, 1216)
    matrix = np.array([[1.25, 0, -150], [0, 1.25, -100], [0, 0, 1.0]])
    if kind == 'turned':
        matrix = np.array([[0.9, 0.3, -20], [-0.3, 0.9, 9], [1e-4, -5e-5, 1.0]]) @ matrix
    elif kind == 'small':
        matrix = np.diag([6.0, 6.0, 1.0]) @ [[1, 0, -400], [0, 1, -300], [0, 0, 1.0]]
    query = ViewGrid(torch.eye(3), cells, size, (800, 1111))
    return query, ViewGrid(matrix, cells, size, size)


@pytest.mark.parametrize('kind', ['scaled', 'turned', 'small'])
def test_large_maps_are_right_to_a_small_part_of_a_cell(kind):
    query, key = large_views(kind, (50, 76))
    expected, actual = dense_mean(query, key), by_tiles(query, key, MAX_TILES)
    # A cell has 16 pixels; the threshold is a ninth of the mean.
    assert abs(actual - expected) / 9 < 1e-4 * 16
    pairs = PixelPairs(query, key)
    assert pairs.threshold == pytest.approx(actual / 9, rel=1e-12)
    assert pairs.threshold <= pairs.reach < pairs.threshold * 1.2


def test_no_cell_on_image_is_a_mean_of_zero():
    query, key = large_views('scaled', (5, 7))
    empty = ViewGrid(key.homography, key.map_shape, key.input_shape, (0, 0))
    assert by_tiles(query, empty, 1000) == by_tiles(empty, key, 4) == 0
    assert PixelPairs(query, empty).reach == 0
