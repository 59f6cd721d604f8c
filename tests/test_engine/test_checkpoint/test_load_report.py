"""What of a checkpoint reaches a model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.registry import DefaultScope
from torch import nn

from mmpixcon.engine.checkpoint.load_report import (
    check_all_loaded,
    compare_state_dicts,
    report_loading,
)


class Module(BaseModule):
    """A module that is initialized from a checkpoint."""

    def __init__(self, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.conv = nn.Conv2d(1, 2, 1)
        self.norm = nn.BatchNorm2d(2)


def test_every_outcome_is_counted_by_module() -> None:
    model = {
        'body.a': torch.zeros(2),
        'body.b': torch.zeros(3),
        'head.a': torch.zeros(1),
        'head.num_batches_tracked': torch.zeros(()),
        'pixcon.key': torch.zeros(1),
    }
    checkpoint = {
        'module.body.a': torch.ones(2),
        'body.b': torch.ones(4),
        'old.c': torch.ones(1),
    }
    report = compare_state_dicts(model, checkpoint, ('pixcon.',))
    assert report.loaded == ('body.a',)
    assert report.mismatched == ('body.b',)
    assert report.missing == ('head.a',)
    assert report.unexpected == ('old.c',)
    assert report.initialized == ('pixcon.key',)
    assert report.share == pytest.approx(1 / 3)
    rows = [line.split() for line in report.table().splitlines()]
    assert ['body', '1', '0', '0', '1', '0'] in rows
    assert ['pixcon', '0', '0', '0', '0', '1'] in rows
    assert ['all', '1', '1', '1', '1', '1'] in rows


def test_another_architecture_is_refused() -> None:
    model = Module()
    with pytest.raises(RuntimeError, match=r'(?s)0 of 6 tensors of Module.*other\.pth.*min_share'):
        report_loading(model, {'x': torch.zeros(1)}, 'other.pth', 0.5, key='min_share')


def test_what_is_tested_needs_every_tensor() -> None:
    model = Module()
    whole = {**model.state_dict(), 'head.bias': torch.zeros(2)}
    del whole['norm.num_batches_tracked']
    assert check_all_loaded(model, whole, 'whole.pth').unexpected == ('head.bias',)
    for bias in ({}, {'conv.bias': torch.zeros(3)}):
        part = {name: value for name, value in whole.items() if name != 'conv.bias'} | bias
        with pytest.raises(ValueError, match=r'(?s)only 5 of 6 tensors.*part\.pth.*conv\.bias'):
            check_all_loaded(model, part, 'part.pth')


def test_at_the_limit_it_is_accepted() -> None:
    model = Module()
    half = {k: v for k, v in model.state_dict().items() if 'running' in k or k == 'conv.bias'}
    assert report_loading(model, half, 'half.pth', 0.5, key='k').share == 0.5


def save(path: Path, prefix: str = '') -> dict[str, torch.Tensor]:
    """Write a checkpoint of the module, filled with fives."""
    weights = {prefix + k: torch.full_like(v, 5) for k, v in Module().state_dict().items()}
    torch.save({'state_dict': weights}, path)
    return weights


@pytest.mark.parametrize('scope', ['mmpixcon', 'mmdet'])
@pytest.mark.parametrize('prefix', [None, 'backbone.'])
def test_pretrained_loads_and_reports(
    tmp_path: Path, prefix: str | None, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[str] = []
    monkeypatch.setattr(
        'mmpixcon.engine.checkpoint.load_report.print_log', lambda text, **_: printed.append(text)
    )
    path = tmp_path / 'w.pth'
    save(path, prefix or '')
    with DefaultScope.overwrite_default_scope(scope):
        model = Module(init_cfg={'type': 'Pretrained', 'checkpoint': str(path), 'prefix': prefix})
        model.init_weights()
    assert '6 of 6 tensors of Module (100%)' in printed[0]
    assert model.conv.weight.unique().tolist() == [5]
    assert model.norm.running_mean.tolist() == [5, 5]


def test_pretrained_of_another_architecture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'w.pth'
    save(path, 'somewhere.else.')
    with DefaultScope.overwrite_default_scope('mmpixcon'):
        model = Module(init_cfg={'type': 'Pretrained', 'checkpoint': str(path)})
        with pytest.raises(RuntimeError, match=r'0 of 6 tensors.*init_cfg\.min_loaded'):
            model.init_weights()
