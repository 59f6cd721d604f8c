"""``mmpixcon check`` on the command line: what it prints, writes and ends with."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from mmpixcon.commands.app import app
from tests.helpers.configs import ROOT

BCCD = ROOT / 'examples' / 'bccd'


def run(*arguments):
    return CliRunner().invoke(app, ['check', *map(str, arguments)])


@pytest.fixture
def data(tmp_path):
    """Some photos of BCCD with their labels, to damage."""
    folder = tmp_path / 'data'
    (folder / 'images').mkdir(parents=True)
    for name in ('train', 'val'):
        content = json.loads((BCCD / f'{name}.json').read_text())
        content['images'] = content['images'][:6]
        ids = {image['id'] for image in content['images']}
        content['annotations'] = [o for o in content['annotations'] if o['image_id'] in ids]
        for image in content['images']:
            shutil.copy(BCCD / 'images' / image['file_name'], folder / 'images')
        (folder / f'{name}.json').write_text(json.dumps(content))
    return folder


def test_the_example_of_the_help(tmp_path, monkeypatch):
    help_text = run('--help').output
    assert 'Example: mmpixcon check examples/bccd' in ' '.join(help_text.split())
    result = run(BCCD, '--out', tmp_path / 'out', '--input-size', '320x240')
    assert result.exit_code == 0, result.output
    for line in (
        'images                      205    87    72',
        'small objects               210    83    66',
        'RBC         2381  967   805',
        'No problems.',
        'A training can begin with these data.',
        f'{tmp_path}/out/index.html',
    ):
        assert line in result.output
    names = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert names == ['classes.png', 'index.html', 'sizes.png', 'test.png', 'train.png', 'val.png']
    page = (tmp_path / 'out' / 'index.html').read_text()
    assert 'RBC         2381' in page and '<img src="train.png"' in page


def test_fatal_problems_end_with_1(data, tmp_path):
    content = json.loads((data / 'train.json').read_text())
    for entry in content['annotations']:
        entry['bbox'] = [value / 640 for value in entry['bbox']]
    (data / 'train.json').write_text(json.dumps(content))
    result = run(data, '--out', tmp_path / 'out')
    assert result.exit_code == 1
    assert 'normalized boxes  fatal' in result.output
    assert 'Multiply x and width by the width of the image' in result.output
    assert 'A training must not begin' in result.output
    result = run(data, '--json')
    assert result.exit_code == 1
    train, val = json.loads(result.output)
    assert train['problems'][0]['kind'] == 'normalized boxes'
    assert train['problems'][0]['level'] == 'fatal'
    assert val['problems'] == [] and val['numbers']['images'] == 6


def test_nothing_to_read_ends_with_2(tmp_path):
    for path, message in ((tmp_path, 'no labels of a known format'), (tmp_path / 'x', 'exist')):
        result = run(path)
        assert result.exit_code == 2 and message in result.stderr
    assert run(tmp_path, '--input-size', '3').exit_code == 2


def test_all_photos(data, tmp_path):
    names = sorted((data / 'images').iterdir())
    names[3].write_bytes(b'no image')
    result = run(data, '--all', '--out', tmp_path / 'out')
    assert result.exit_code == 0
    assert '1 of 6 image files cannot be read' in result.output
