"""One report of all benchmarks, and the check of the kernels before it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmpixcon.models.losses import pixel_cosine_loss
from tests.helpers.configs import ROOT
from tests.helpers.processes import load_tool, run_tool

BENCHMARKS = ROOT / 'tools' / 'benchmarks'


@pytest.fixture(scope='module')
def everything():
    return load_tool(BENCHMARKS / 'all.py')


@pytest.fixture(scope='module')
def kernels():
    return load_tool(BENCHMARKS / 'check_kernels.py')


def test_commands_are_of_files_that_exist(everything):
    for tiny in (False, True):
        found = everything.commands(tiny)
        # First of all the check, on a GPU.
        assert (next(iter(found)) == everything.CHECK) != tiny
        for command in found.values():
            assert (BENCHMARKS / command[0]).is_file()
            configs = [word for word in command if word.endswith('.py')][1:]
            assert all((ROOT / config).is_file() for config in configs), command
    printed = [' '.join(command) for command in everything.commands(False).values()]
    assert sum('--amp' in line or 'bfloat16' in line for line in printed) == 5


def test_a_script_that_fails_or_takes_too_long_is_named(everything, tmp_path, monkeypatch):
    monkeypatch.setattr(everything, 'HERE', tmp_path)
    (tmp_path / 'good.py').write_text("print('turn 1', end='\\r'); print('a table  ')")
    (tmp_path / 'bad.py').write_text("print('half'); raise SystemExit('it differs')")
    (tmp_path / 'slow.py').write_text("import time; print('begun', flush=True); time.sleep(60)")
    assert everything.run(['good.py'], 30) == ('a table', True)
    assert everything.run(['bad.py'], 30) == ('half\nit differs', False)
    said, good = everything.run(['slow.py'], 2)
    assert not good and said == 'begun\nended: it took more than 2 s'


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_report_of_a_cpu(tmp_path):
    script, out = BENCHMARKS / 'all.py', tmp_path / 'sub' / 'report.txt'
    status, printed, error = run_tool(script, '--tiny', '--only', 'throughput', '--out', out)
    assert status == 0, error
    assert f'{out}: 1 of 1 benchmarks' in printed
    report = out.read_text()
    assert report.startswith('CPU, ')
    assert '$ python tools/benchmarks/throughput.py --batch 2' in report
    for row in ('limit: bare backbone', 'mmpixcon, channels-last', 'mmselfsup MoCo v2'):
        assert row in report
    assert 'images a second and core' in report
    status, _, error = run_tool(script)
    assert status == 1 and 'add --tiny' in error


class ByKernels(nn.Module):
    """A loss that kernels would double."""

    def forward(self, query, key, pairs):
        return query.square().mean() * (1 + bool(pixel_cosine_loss.kernels_for(query)))


def test_wrong_kernels_are_found(kernels, monkeypatch):
    # On a CPU there is PyTorch on either side.
    shares = kernels.differences((5, 6), 3, 'cpu')
    assert len(shares) == 6 and set(shares.values()) == {0.0}
    kernels.check(shares)
    monkeypatch.setattr(kernels, 'LOSSES', dict(wrong=ByKernels))
    monkeypatch.setattr(pixel_cosine_loss, 'kernels_for', lambda features: True)
    shares = kernels.differences((5, 6), 3, 'cpu')
    assert shares == pytest.approx({'wrong, value': 1, 'wrong, gradient': 1})
    with pytest.raises(SystemExit, match='wrong, value: kernels and PyTorch differ by 1'):
        kernels.check(shares)
    with pytest.raises(SystemExit, match='differ by nan'):
        kernels.check(dict(x=float('nan')))


def test_loss_values_say_something(kernels):
    batch = kernels.make_views((5, 6), 'cpu')
    query, key = torch.randn(2, 3, 4, 5, 6).unbind()
    for make in kernels.LOSSES.values():
        value, gradient = kernels.value_and_gradient(make(), query, key, batch)
        assert value.isfinite() and value != 0
        # The flipped crop and the rotated view have positives, the third none.
        assert [bool(part.any()) for part in gradient] == [True, True, False]


def test_throughput_is_compared_turn_by_turn():
    throughput = load_tool(BENCHMARKS / 'throughput.py')
    found = {
        throughput.LIMIT: [100.0, 200.0, 150.0],
        throughput.OURS: [50.0, 120.0, 60.0],
        throughput.STOCK: [40.0, 100.0, 60.0],
    }
    rows = throughput.table(found, batch=30)
    assert rows[0] == [throughput.LIMIT, '150', '200.0', '1.00', '2.50', '-']
    # Medians of 0.5, 0.6, 0.4 and of 1.25, 1.2, 1.
    assert rows[1] == [throughput.OURS, '60', '500.0', '0.50', '1.20', '-']
