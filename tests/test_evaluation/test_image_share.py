"""The share of the variance of states that lies between images."""

from __future__ import annotations

import pytest
import torch

from mmpixcon.evaluation.image_share import image_share


def test_states_of_queries_of_images_and_of_both():
    torch.manual_seed(0)
    queries, images = torch.randn(1, 6, 8), torch.randn(4, 1, 8)
    assert image_share(queries.expand(4, -1, -1)) == 0
    assert image_share(images.expand(-1, 6, -1)) == 1
    # What they add up to has both variances.
    both = image_share(queries + images)
    parts = [states.var((0, 1), correction=0).sum() for states in (images, queries)]
    torch.testing.assert_close(both, parts[0] / sum(parts))
    assert image_share(torch.ones(4, 6, 8)).isnan()


def test_shares_add_up_to_the_whole_variance():
    states = torch.randn(5, 7, 3)
    between_images = states - states.mean(0)
    whole = states - states.mean((0, 1))
    expected = between_images.square().sum() / whole.square().sum()
    assert image_share(states).item() == pytest.approx(expected.item(), rel=1e-5)
