"""Lengths that fit a budget, and what a comparison may say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from mmengine.config import Config

from mmpixcon.commands.app import repeat_options
from mmpixcon.fitting.comparison import (
    Costs,
    fitting_plan,
    judge,
    labels_for,
    read_budget,
)
from mmpixcon.fitting.plans import Plan
from mmpixcon.recipes.finished import FinishedRun

PLAN = Plan('cpu', 4, 32, 1, 1.0, None, 200, 50, 60, (320, 256))


def runs(scores: dict[str, list[float]]) -> list[FinishedRun]:
    return [
        FinishedRun(name, seed, Path(), Path(), Config(), {'coco/bbox_mAP': score / 100})
        for name, of in scores.items()
        for seed, score in enumerate(of)
    ]


@pytest.mark.parametrize(
    ('text', 'seconds'),
    [('2h', 7200), ('90min', 5400), ('1h30m', 5400), ('45s', 45), ('1.5h', 5400)],
)
def test_times_are_read(text, seconds):
    assert read_budget(text) == seconds


@pytest.mark.parametrize('text', ['', '2', 'h', '2 weeks', '1h and more'])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match='is not a time, such as 2h'):
        read_budget(text)


def test_a_gain_is_one_beyond_two_deviations():
    outcome = judge(
        runs(
            {
                'none, 10%': [38.0, 39.0, 40.0],
                'vicreg, 10%': [43.0, 44.0, 45.0],
                'detco, 10%': [38.5, 39.5, 41.5],
                'plrc, 10%': [30.0, 31.0, 32.0],
                'none, 100%': [48.0, 49.0, 50.0],
                'vicreg, 100%': [49.0, 50.0, 51.0],
            }
        ),
        ['none', 'vicreg', 'detco', 'plrc'],
        [10, 100],
    )
    assert outcome.winner == 'vicreg'
    gain, deviation = outcome.gains['vicreg'][10]
    assert gain == pytest.approx(5)
    # Deviations of 1 and 1, three seeds each.
    assert deviation == pytest.approx(math.sqrt(2 / 3))
    # 39 at 10 % and 49 at 100 %: 44 is half the way of the logarithm.
    assert outcome.lines[0] == (
        'vicreg gains 5.0 AP with 10 % of the labels (deviation 0.8), as much as none would have '
        'with 31.6 %.'
    )
    assert outcome.lines[1].startswith('plrc costs 8.0 AP with 10 %')
    assert len(outcome.lines) == 2


def test_nothing_is_said_of_differences_within_the_seeds():
    scores = {'none, 10%': [38.0, 40.0], 'vicreg, 10%': [39.0, 41.0]}
    outcome = judge(runs(scores), ['none', 'vicreg'], [10])
    assert outcome.winner == 'none'
    assert outcome.lines == (
        'No method gains more than two deviations of the difference over none.',
    )


def test_one_seed_says_nothing():
    scores = {'none, 10%': [38.0], 'vicreg, 10%': [48.0]}
    outcome = judge(runs(scores), ['none', 'vicreg'], [10])
    assert outcome.winner == 'none'
    assert 'One seed has no deviation' in outcome.lines[0]
    assert outcome.gains['vicreg'][10][0] == pytest.approx(10)


def test_labels_are_interpolated_over_their_logarithm():
    curve = {1: 10.0, 10: 30.0, 100: 50.0}
    assert labels_for(curve, 30.0) == pytest.approx(10)
    assert labels_for(curve, 40.0) == pytest.approx(10**1.5)
    assert labels_for(curve, 5.0) == pytest.approx(1)
    assert labels_for(curve, 51.0) == math.inf
    assert labels_for({10: 30.0}, 40.0) is None


def test_lengths_fill_the_budget_and_no_more():
    costs = Costs({'vicreg': 1.0}, {'none': 1.0, 'vicreg': 1.0}, 10.0)
    plan, seconds = fitting_plan(PLAN, costs, 6, 3600.0, 1, 192)
    assert seconds <= 3600 * 0.85 + 1e-6
    # Pretraining 60 x 6 steps, 12 trainings of 200; 25 s besides each, and the evaluations.
    fixed = 25 + 12 * 35
    factor = (3600 * 0.85 - fixed) / (360 + 12 * 200)
    assert plan.iterations == round(200 * factor)
    assert plan.pretraining_epochs == round(60 * factor)
    twice, _ = fitting_plan(PLAN, costs, 6, 3600.0, 2, 192)
    assert twice.iterations > plan.iterations
    longest, _ = fitting_plan(PLAN, costs, 6, 1e6, 1, 192)
    assert longest.iterations == 800


def test_a_budget_that_is_too_short_says_what_is_needed():
    costs = Costs({}, {'none': 1.0}, 10.0)
    with pytest.raises(ValueError, match=r'too short: 1 methods .* at least 5min'):
        fitting_plan(PLAN, costs, 6, 60.0, 1, 192)


def test_options_take_several_values():
    given = ['compare', '--methods', 'none', 'vicreg', '--train', 'x', '--percents', '1', '10']
    assert repeat_options(given) == [
        'compare', '--methods', 'none', '--methods', 'vicreg', '--train', 'x',
        '--percents', '1', '--percents', '10',
    ]  # fmt: skip
    assert repeat_options(['detect', 'a.pth', 'b.jpg', 'c.jpg']) == [
        'detect', 'a.pth', 'b.jpg', 'c.jpg',
    ]  # fmt: skip
