"""Charts of the results page."""

import importlib
import math
import sys

import pytest

from tests.helpers.configs import ROOT


@pytest.fixture
def charts(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'misc'))
    yield importlib.import_module('result_charts')
    sys.modules.pop('result_charts')


def test_a_gain_is_drawn_with_two_deviations_of_the_difference(charts, monkeypatch):
    models = {
        name: {
            ('ours', 'photos', 'box AP'): mean,
            ('ours', 'photos', 'box AP deviation'): deviation,
            ('ours', 'photos', 'box AP seeds'): seeds,
        }
        for name, mean, deviation, seeds in (('none', 40.0, 1.0, 4), ('method', 43.0, 2.0, 16))
    }
    setting = charts.Setting('detector', 'photos', 'none', {'Method': 'method'})
    monkeypatch.setattr(charts, 'PANELS', {'panel': (setting,)})
    axes = charts.draw_gains(models).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ['Method']
    assert [text.get_text() for text in axes.texts] == ['detector']
    point, (left, right), _ = axes.containers[0]
    error = 2 * math.sqrt(1.0 / 4 + 4.0 / 16)
    assert point.get_xdata() == pytest.approx([3.0])
    assert left.get_xdata() == pytest.approx([3.0 - error])
    assert right.get_xdata() == pytest.approx([3.0 + error])
    assert point.get_color() == charts.COLORS['gain']


def test_all_models_of_the_charts_have_numbers(charts):
    models = charts.read_numbers(ROOT / 'configs')
    panels = charts.draw_gains(models).axes
    for axes, settings in zip(panels, charts.PANELS.values(), strict=True):
        assert len(axes.get_yticks()) == sum(len(setting.methods) for setting in settings)
    assert len(charts.draw_backbones(models).axes[0].get_yticks()) == 7


def test_every_mean_says_of_how_many_seeds(charts):
    without = [
        f'{model}: {metric} on {dataset}'
        for model, numbers in charts.read_numbers(ROOT / 'configs').items()
        for source, dataset, metric in numbers
        if metric.endswith(' deviation')
        and (source, dataset, metric.replace(' deviation', ' seeds')) not in numbers
    ]
    assert not without
