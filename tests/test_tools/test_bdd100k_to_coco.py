"""The converter's command line."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool

TOOL = ROOT / 'tools' / 'dataset_converters' / 'bdd100k_to_coco.py'
FRAMES = [
    {
        'name': 'a.jpg',
        'attributes': {'weather': 'snowy'},
        'labels': [
            {'category': 'person', 'box2d': {'x1': 1, 'y1': 2, 'x2': 30, 'y2': 40}},
            {'category': 'tram', 'box2d': {'x1': 1, 'y1': 2, 'x2': 30, 'y2': 40}},
        ],
    }
]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / 'bdd100k_labels_images_val.json'
    path.write_text(json.dumps(FRAMES))
    return path


def tool(*argv: object) -> int:
    """Run the tool in this process; returns its exit status."""
    spec = importlib.util.spec_from_file_location('bdd100k_to_coco', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main([str(argument) for argument in argv])


def test_it_writes_and_says_what(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'coco' / 'val.json'
    assert tool(labels, '--out', out, '--size', '20x50') == 0
    printed = capsys.readouterr()
    assert 'images: 1, 0 of them without a box\nweather: snowy 1\n' in printed.out
    assert 'warning: boxes of unknown categories are left out: tram 1' in printed.err
    assert json.loads(out.read_text())['annotations'][0]['bbox'] == [1, 2, 19, 38]
    assert tool(labels, '--out', out) == 1
    assert f'bdd100k_to_coco: {out} is already there' in capsys.readouterr().err
    assert tool(labels, '--out', out, '--overwrite') == 0
    assert json.loads(out.read_text())['annotations'][0]['bbox'] == [1, 2, 29, 38]


def test_errors_are_one_line(labels: Path, tmp_path: Path) -> None:
    status, _, error = run_tool(TOOL, tmp_path / 'none.json', '--out', tmp_path / 'x.json')
    assert status == 1
    assert 'none.json does not exist. Give a list file' in error
    assert 'Traceback' not in error


def test_arguments_are_checked(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for arguments, message in (
        (['--size', '20'], "'20' is no WIDTHxHEIGHT such as 1280x720"),
        (['--size', '0x5'], 'is no WIDTHxHEIGHT'),
        (['--size', '20x30', '--img-dir', '.'], 'not allowed with argument'),
    ):
        with pytest.raises(SystemExit):
            tool(labels, '--out', tmp_path / 'x.json', *arguments)
        assert message in capsys.readouterr().err
