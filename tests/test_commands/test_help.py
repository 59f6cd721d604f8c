"""The examples of the help do what they say, on fewer photos."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmpixcon.commands.app import app
from tests.helpers.commands import example_of


def run(verb: str, *shorter: object) -> str:
    result = CliRunner().invoke(app, [*example_of(verb), *map(str, shorter)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_examples_one_after_another(cells, tmp_path, monkeypatch):
    """What fit leaves is what the others begin with. compare: tests/test_tools/test_install.py."""
    (tmp_path / 'examples').mkdir()
    (tmp_path / 'examples' / 'bccd').symlink_to(cells)
    monkeypatch.chdir(tmp_path)
    assert 'images' in run('check', '--out', tmp_path / 'checked')
    shorter = ('--iterations', 2, '--pretraining-steps', 2, '--workers', 0, '--scale', '64x64')
    run('fit', *shorter, '--detector', 'faster-rcnn_r18', '--device', 'cpu')
    assert Path('work_dirs/fit/best.pth').is_file()
    run('detect')
    assert Path('work_dirs/detect/detections.json').is_file()
    if importlib.util.find_spec('onnxruntime'):
        run('export')
        assert Path('work_dirs/fit/best.onnx').is_file()
