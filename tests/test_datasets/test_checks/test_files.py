"""Image files that are missing, broken, turned, of another size or depth."""

from __future__ import annotations

import json
import shutil

import cv2
import mmcv
import numpy as np
import pytest
from PIL import Image

from mmpixcon.datasets.checks.files import check_files, compare_files, read_header, sample_of
from mmpixcon.datasets.checks.problems import Level, Report


@pytest.fixture
def images(folder):
    return json.loads((folder / 'train.json').read_text())['images']


def check(folder, images):
    report = Report('train.json')
    check_files(images, folder / 'images', report)
    return {p.kind: p for p in report.problems}


def test_good_files(folder, images):
    assert check(folder, images) == {}


def test_missing_files(folder, images):
    (folder / 'images' / '10.png').rename(folder / 'images' / '10.PNG')
    problems = check(folder, images)
    assert problems['missing file'].level is Level.LEFT_OUT
    assert str(problems['missing file']).endswith(
        f'There is {folder}/images/10.PNG: the image folder or the file names are another.'
    )
    shutil.rmtree(folder / 'images')
    (folder / 'images').mkdir()
    assert check(folder, images)['missing file'].level is Level.FATAL


def test_broken_files(folder, images):
    path = folder / 'images' / '11.png'
    path.write_bytes(path.read_bytes()[:200])
    (folder / 'images' / '12.png').write_bytes(b'')
    problem = check(folder, images)['unreadable file']
    assert problem.level is Level.FATAL and problem.count == 2
    assert '12.png: the file is empty' in problem.examples


def test_a_photo_that_exif_turns(folder, images):
    for image in images[:2]:
        image['file_name'] = image['file_name'].replace('.png', '.jpg')
        photo = Image.fromarray(np.zeros((60, 80, 3), np.uint8))
        exif = photo.getexif()
        exif[0x0112] = 6
        photo.save(folder / 'images' / image['file_name'], exif=exif)
    problem = check(folder, images)['turned by EXIF']
    assert problem.count == 2 and problem.level is Level.FATAL
    assert problem.examples[0] == '10.jpg: 80 x 60, the file 60 x 80, turned by EXIF'
    header = read_header(folder / 'images' / '10.jpg')
    assert header.size == (80, 60) and header.shown_size == (60, 80)
    # Labels of the turned photo are right.
    images[0].update(width=60, height=80)
    images[1].update(width=60, height=80)
    assert check(folder, images) == {}


def test_the_way_out_of_exif_works(folder, images):
    """What the message says to write into the config reads the photo as it is stored."""
    photo = Image.fromarray(np.zeros((60, 80, 3), np.uint8))
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(folder / 'a.jpg', exif=exif)
    assert mmcv.imread(folder / 'a.jpg').shape == (80, 60, 3)
    assert mmcv.imread(folder / 'a.jpg', 'color_ignore_orientation').shape == (60, 80, 3)


def test_photos_that_were_resized(folder, images):
    for image in images:
        image.update(width=160, height=120)
    problem = check(folder, images)['image of another size']
    assert problem.level is Level.FATAL and problem.count == 6


def test_depth_and_channels(folder, images):
    pixels = np.random.default_rng(0).integers(0, 4096, (60, 80)).astype(np.uint16)
    cv2.imwrite(str(folder / 'images' / '10.png'), pixels)
    cv2.imwrite(str(folder / 'images' / '11.png'), pixels * 16)
    cv2.imwrite(str(folder / 'images' / '12.png'), np.zeros((60, 80, 4), np.uint8))
    cv2.imwrite(str(folder / 'images' / '13.png'), np.zeros((60, 80), np.uint8))
    problems = check(folder, images)
    assert problems['dark 16-bit image'].level is Level.FATAL
    assert problems['dark 16-bit image'].examples == ('10.png: values to 4095 of 65535',)
    assert problems['16-bit image'].examples == ('11.png: values to 65520 of 65535',)
    assert problems['transparent image'].examples == ('12.png',)
    assert problems['gray image'].examples == ('13.png',)


def test_photos_of_training_and_validation(folder, images):
    val = json.loads((folder / 'val.json').read_text())['images']
    report = Report('val.json')
    compare_files(images, val, folder / 'images', folder / 'images', report)
    assert not report.problems
    # The same photo under another name.
    shutil.copy(folder / 'images' / '10.png', folder / 'images' / val[0]['file_name'])
    compare_files(images, val, folder / 'images', folder / 'images', report)
    assert report.problems[0].examples == ('16.png',)


def test_sample():
    assert sample_of(range(10), None) == list(range(10))
    assert sample_of(range(10), 20) == list(range(10))
    assert sample_of(range(101), 3) == [0, 50, 100]
