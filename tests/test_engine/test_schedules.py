"""Schedules of scalars."""

from __future__ import annotations

import math

import pytest

from mmpixcon.engine.schedules import ScalarSchedule


def test_linear_by_epoch_moves_every_iteration():
    schedule = ScalarSchedule(dict(start=0, end=1, begin=1, stop=3))
    values = [schedule(i, epoch_length=4) for i in (0, 4, 5, 8, 12, 100)]
    assert values == [0, 0, 0.125, 0.5, 1, 1]


def test_cosine_by_iteration():
    schedule = ScalarSchedule(dict(start=0.99, end=1.0, stop=100, by_epoch=False, shape='cosine'))
    assert schedule(25, epoch_length=7) == pytest.approx(1 - 0.01 * (1 + math.cos(math.pi / 4)) / 2)
    assert schedule(1000, epoch_length=7) == 1.0


def test_pieces_follow_one_another():
    schedule = ScalarSchedule([dict(start=0, end=1, stop=2), dict(start=1, end=0.5, stop=4)])
    values = [schedule(i, epoch_length=1) for i in range(6)]
    assert values == [0, 0.5, 1, 0.75, 0.5, 0.5]


@pytest.mark.parametrize(
    ('pieces', 'message'),
    [
        ([], 'at least one'),
        (dict(start=0, end=1), r"missing keys \['stop'\]"),
        (dict(start=0, end=1, stop=2, stopp=3), r"unknown keys \['stopp'\]"),
        (dict(start=0, end=1, begin=2, stop=2), 'after begin'),
        (dict(start=0, end=1, stop=2, shape='step'), 'linear or cosine'),
    ],
)
def test_bad_schedules_are_named(pieces, message):
    with pytest.raises(ValueError, match=message):
        ScalarSchedule(pieces)
