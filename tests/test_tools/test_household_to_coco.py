"""The household photos in COCO format: near duplicates, split, boxes."""

import json

import cv2
import numpy as np
import pytest

from tests.helpers.configs import ROOT
from tests.helpers.processes import load_tool, run_tool

PATH = ROOT / 'tools' / 'dataset_converters' / 'household_to_coco.py'


def photo(seed):
    small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    return cv2.resize(small, (80, 60), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def clone(tmp_path):
    """11 photos; of the first another size, a watermarked and a mirrored one in other parts."""
    folder = tmp_path / 'images'
    pictures = {f'train/{number:02d}': photo(number) for number in range(11)}
    pictures['valid/20'] = cv2.resize(photo(0), (50, 50))
    pictures['test/21'] = cv2.putText(photo(0), 'stock', (20, 40), 0, 0.6, (255,) * 3)
    pictures['valid/22'] = photo(0)[:, ::-1]
    for name, picture in pictures.items():
        path = folder / f'{name}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture)
        # The second reaches beyond the photo.
        path.with_suffix('.txt').write_text('1 0.5 0.5 0.5 0.2\n2 0.9 0.5 0.4 0.5\n')
    return folder


def test_convert(clone):
    status, output, error = run_tool(PATH, clone)
    assert status == 0, error
    assert '14 photos, without near duplicates: 8 to train on, 3 to evaluate on' in output
    train, val = (
        json.loads((clone.parent / f'{name}.json').read_text()) for name in ('train', 'val')
    )
    names = [image['file_name'] for image in val['images']]
    assert names == ['train/00.jpg', 'train/05.jpg', 'train/10.jpg']
    assert len(train['images']) == 8 and not {i['file_name'] for i in train['images']} & set(names)
    assert train['images'][0] == dict(id=1, file_name='train/01.jpg', width=80, height=60)
    first, second = train['annotations'][:2]
    assert first == dict(
        id=1, image_id=1, category_id=2, bbox=[20.0, 24.0, 40.0, 12.0], area=480.0, iscrowd=0
    )
    assert second['bbox'] == [56.0, 15.0, 24.0, 30.0] and second['category_id'] == 3
    assert [category['name'] for category in val['categories']] == ['curtain', 'pot', 'toaster']


def test_what_is_close_is_not_evaluated_on():
    tool = load_tool(PATH)
    # Photos 0, 5 and 10 are set apart. Photo 5 is not in the group of photo 1, but looks like it.
    differing = np.full((11, 11), 70.0)
    np.fill_diagonal(differing, 0)
    differing[1, 5] = differing[5, 1] = tool.APART - 1
    train, val = tool.split(differing)
    assert val.tolist() == [0, 10] and train.tolist() == [1, 2, 3, 4, 6, 7, 8, 9]


def test_bad_labels(clone):
    (clone / 'train' / '03.txt').write_text('1 0.5 0.5 0.5 0.2\n7 0.5 0.5 0.1 0.1\n')
    status, _, error = run_tool(PATH, clone)
    assert status == 1 and 'train/03.txt, line 2' in error and 'clone https' in error


def test_another_folder(tmp_path):
    status, _, error = run_tool(PATH, tmp_path)
    assert status == 1 and 'has no photos in train/, valid/, test/' in error
