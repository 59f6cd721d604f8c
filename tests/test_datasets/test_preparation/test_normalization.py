"""Pixel statistics against numpy's; unreadable files; the tool."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from mmpixcon.datasets.preparation.normalization import measure
from tests.helpers.configs import ROOT


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    images = []
    for i, shape in enumerate([(7, 5), (64, 3), (1, 1)]):
        image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8) // (i + 1)
        images.append(image.reshape(-1, 3))
        (tmp_path / 'images' / 'deep').mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / 'images' / ('deep' if i else '') / f'{i}.png'), image)
    return tmp_path / 'images', np.concatenate(images)[:, ::-1].astype(np.float64)


def paths(folder):
    return sorted(map(str, folder.rglob('*.png')))


def test_statistics_are_numpys_whatever_the_workers(folder):
    root, pixels = folder
    one, two = measure(paths(root)), measure(paths(root)[::-1], workers=2)
    assert (one.mean, one.std, one.pixels) == (two.mean, two.std, two.pixels)
    np.testing.assert_allclose(one.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(one.std, pixels.std(0), rtol=1e-12)
    assert one.images == 3 and one.pixels == len(pixels) and one.unreadable == []


def test_unreadable_images_are_listed(folder):
    root, pixels = folder
    (root / 'z.png').write_bytes(b'no image')
    actual = measure(paths(root))
    assert actual.images == 3 and actual.unreadable == [str(root / 'z.png')]
    np.testing.assert_allclose(actual.mean, pixels.mean(0), rtol=1e-12)
    with pytest.raises(ValueError, match='none of 1 images can be read'):
        measure([str(root / 'z.png')])


def tool(*arguments):
    script = ROOT / 'tools/dataset_converters/measure_normalization.py'
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_the_line_is_a_config(folder):
    root, pixels = folder
    coco = root.parent / 'some.json'
    coco.write_text(json.dumps(dict(images=[dict(id=0, file_name='0.png')])))
    actual = tool(root, '--workers', 1)
    assert actual.returncode == 0, actual.stderr
    line = actual.stdout.splitlines()[-1]
    values = {}
    exec(line, values)
    np.testing.assert_allclose(values['data_preprocessor']['mean'], pixels.mean(0), atol=1e-3)
    np.testing.assert_allclose(values['data_preprocessor']['std'], pixels.std(0), atol=1e-3)
    assert values['data_preprocessor']['bgr_to_rgb'] is True
    assert actual.stdout.startswith('# 3 images, 228 pixels, 0 unreadable')
    listed = tool(root, '--ann-file', coco)
    assert listed.stdout.startswith('# 1 images, 35 pixels, 0 unreadable')


@pytest.mark.slow
def test_a_missing_folder(tmp_path):
    actual = tool(tmp_path / 'nowhere')
    assert actual.returncode != 0 and 'nowhere does not exist' in actual.stderr
    assert 'Traceback' not in actual.stderr
