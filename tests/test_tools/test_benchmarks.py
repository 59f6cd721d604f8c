"""The benchmarks run and print their tables; what they measure is no test."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

import pytest

from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import load_tool

pytestmark = pytest.mark.slow


def run(name, *arguments):
    command = [sys.executable, str(ROOT / 'tools' / 'benchmarks' / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return done.stdout


def load(name):
    return load_tool(ROOT / 'tools' / 'benchmarks' / f'{name}.py')


@pytest.fixture(scope='module')
def pixel_contrast():
    return load('pixel_contrast')


@pytest.mark.parametrize('terms', ['L_Cos', 'L_NCE', 'L_NCE + L_Cos'])
def test_pixel_losses_agree_with_dense_ones(pixel_contrast, terms):
    actual = {
        name: pixel_contrast.measure_loss((name, terms, '950', 'cpu', 1))
        for name in ('dense', 'ours')
    }
    assert actual['ours'][2] == pytest.approx(actual['dense'][2], abs=1e-5)
    assert all(seconds > 0 for seconds, _, _ in actual.values())


def test_growth_is_the_exponent(pixel_contrast):
    cells = (950, 3800, 15200)
    assert pixel_contrast.growth({str(n): 3.0 * n**1.5 for n in cells}) == pytest.approx(1.5)
    assert sum(h * w for h, w in pixel_contrast.MAPS['all']) == 20197


def test_pixel_contrast_step_of_a_config():
    config = (
        CONFIGS / 'pixcon' / 'ablations' / 'pixcon-two-level_deformable-detr_r18_1xb8-12e_scenes.py'
    )
    out = run('pixel_contrast.py', '--only', 'step', '--size', 160, 128, '--rounds', 1,
              '--config', config)  # fmt: skip
    assert re.search(r'^pixcon +[\d.]+ +[\d.]+$', out, re.MULTILINE), out


def test_pretext_step():
    methods = ('moco/mocov2', 'detco/detco', 'plrc/plrc', 'barlow_twins/barlowtwins')
    configs = [CONFIGS / f'{method}_r18_1xb32-100e_scenes.py' for method in methods]
    out = run('pretext_step.py', *configs, '--batch', 2, '--size', 64, '--patch', 28,
              '--rounds', 1)  # fmt: skip
    for name in (*(config.stem for config in configs), 'MoCo v2'):
        assert re.search(rf'{name} +[\d.]+ +[\d.]+ +[\d.]+ ', out), out


def test_step_of_detection_transformers():
    methods = ('siamese_detr/siamese-detr', 'updetr/updetr', 'detreg/detreg')
    configs = [CONFIGS / f'{m}_conditional-detr_r18_1xb8-50e_scenes.py' for m in methods]
    out = run('pretext_step.py', *configs, '--batch', 4, '--size', 64, '--patch', 32,
              '--rounds', 1)  # fmt: skip
    for config in configs:
        assert re.search(rf'{config.stem} +[\d.]+ +[\d.]+ +[\d.]+ ', out), out
    # UP-DETR is what the others are a multiple of.
    assert re.search(r'updetr_\S+ .* 1\.000\n', out), out


def test_memory_of_a_pretext_step():
    args = argparse.Namespace(batch=2, size=64, patch=28, device='cpu', amp=False, compile=False)
    config = CONFIGS / 'moco' / 'mocov2_r18_1xb32-100e_scenes.py'
    # In this process, which may hold freed memory already: from 0 on.
    # In a process that has freed memory, a small step may need none.
    assert -10 <= load('pretext_step').peak_of('step', config, args) < 2000


@pytest.mark.parametrize('terms', ['L_c', 'L_a', 'L_c + L_a'])
def test_point_losses_agree_with_dense_ones(terms):
    measure_loss = load('point_contrast').measure_loss
    actual = {name: measure_loss((name, terms, 2, 'cpu', 1)) for name in ('dense', 'ours')}
    assert actual['ours'][2] == pytest.approx(actual['dense'][2], rel=1e-5)
    assert all(seconds > 0 for seconds, _, _ in actual.values())


def test_pipelines(bccd_root):
    out = run('pipelines.py', '--number', 2, '--rounds', 1)
    assert 'MoCo v2' in out and 'DetCo' in out and 'floor' in out


def test_check_of_annotations():
    output = run('check_annotations.py', '--images', 300)
    assert re.match(
        r'300 images, 2181 objects, \d+ MB: [\d.]+ s to read, [\d.]+ s to check', output
    )
