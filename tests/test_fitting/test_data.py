"""Data of a fit: read in any format, checked, and split where there is no validation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmpixcon.datasets.checks.problems import BadDataError
from mmpixcon.fitting.data import prepare_data, split_off
from tests.helpers.configs import ROOT

BCCD = ROOT / 'examples' / 'bccd'


def content(objects: dict[int, list[int]], classes: int = 2) -> dict:
    """COCO content: classes of the objects by the id of their photo."""
    entries = [(key, label) for key, labels in objects.items() for label in labels]
    return dict(
        images=[dict(id=key, file_name=f'{key}.jpg', width=8, height=8) for key in objects],
        categories=[dict(id=k, name=f'class {k}') for k in range(1, classes + 1)],
        annotations=[
            dict(id=i, image_id=key, category_id=label, bbox=[1, 1, 4, 4], area=16, iscrowd=0)
            for i, (key, label) in enumerate(entries, 1)
        ],
    )


def test_a_fifth_is_set_apart_with_every_class():
    # 40 photos of the first class, and 5 that also have the second.
    whole = content({key: [1, 2] if key > 40 else [1] for key in range(1, 46)})
    train, val = split_off(whole, 'data')
    assert len(train['images']) + len(val['images']) == 45
    assert 8 <= len(val['images']) <= 10
    for part in (train, val):
        assert {a['category_id'] for a in part['annotations']} == {1, 2}
        keys = {image['id'] for image in part['images']}
        assert all(a['image_id'] in keys for a in part['annotations'])
        assert part['categories'] == whole['categories']
    assert len(train['annotations']) + len(val['annotations']) == len(whole['annotations'])


def test_the_split_follows_from_names_alone():
    whole = content({key: [1] for key in range(1, 31)})
    shuffled = dict(whole, images=whole['images'][::-1])
    first, second = (split_off(part, 'data')[1]['images'] for part in (whole, shuffled))
    assert {image['id'] for image in first} == {image['id'] for image in second}


@pytest.mark.parametrize('photos', [2, 3, 5])
def test_few_photos_still_give_both_parts(photos):
    train, val = split_off(content({key: [1] for key in range(1, photos + 1)}), 'data')
    assert train['annotations'] and val['annotations']


def test_one_photo_is_too_few():
    with pytest.raises(ValueError, match='data has 1 photos with objects: two are the least'):
        split_off(content({1: [1], 2: []}), 'data')


def test_validation_of_the_data_is_taken(tmp_path):
    data = prepare_data(BCCD, None, None, tmp_path)
    assert data.classes == ('RBC', 'WBC', 'Platelets')
    assert data.numbers == dict(train=(205, 2804), val=(87, 1137))
    assert data.size == (640, 480)
    assert not data.was_split and data.unlabelled is None and data.num_unlabelled == 205
    assert data.train_images == data.val_images == BCCD / 'images'
    assert len(json.loads(data.val.read_text())['images']) == 87


def test_photos_of_yolo_are_split_and_unlabelled_ones_counted(tmp_path):
    source = json.loads((BCCD / 'val.json').read_text())
    folder = tmp_path / 'cells'
    (folder / 'images').mkdir(parents=True)
    (folder / 'labels').mkdir()
    for image in source['images'][:10]:
        name = Path(image['file_name'])
        (folder / 'images' / name).symlink_to(BCCD / 'images' / name)
        (folder / 'labels' / f'{name.stem}.txt').write_text('0 0.5 0.5 0.2 0.2\n')
    (folder / 'classes.txt').write_text('cell\n')
    data = prepare_data(folder, None, folder / 'images', tmp_path / 'data')
    assert data.classes == ('cell',) and data.was_split
    assert data.numbers['train'][0] + data.numbers['val'][0] == 10
    assert data.num_unlabelled == 10
    box = json.loads(data.train.read_text())['annotations'][0]['bbox']
    assert box == pytest.approx([256, 192, 128, 96], abs=1)


def test_validation_gets_the_classes_of_the_training(tmp_path):
    """In another order, with other ids, without the first class: names stay those of objects."""
    whole = json.loads((BCCD / 'val.json').read_text())
    names = {c['id']: c['name'] for c in whole['categories']}
    first = next(key for key, name in names.items() if name == 'RBC')
    whole['categories'] = [
        dict(id=100 - c['id'], name=c['name']) for c in reversed(whole['categories'])
        if c['id'] != first
    ]  # fmt: skip
    whole['annotations'] = [
        dict(a, category_id=100 - a['category_id'])
        for a in whole['annotations']
        if a['category_id'] != first
    ]
    path = tmp_path / 'val.json'
    path.write_text(json.dumps(whole))
    (tmp_path / 'images').symlink_to(BCCD / 'images')
    data = prepare_data(BCCD / 'train.json', path, None, tmp_path / 'data')
    written = [json.loads(file.read_text()) for file in (data.train, data.val)]
    for content in written:
        assert [c['name'] for c in content['categories']] == list(data.classes)
        assert [c['id'] for c in content['categories']] == [1, 2, 3]
    before = {a['id']: names[100 - a['category_id']] for a in whole['annotations']}
    after = {a['id']: data.classes[a['category_id'] - 1] for a in written[1]['annotations']}
    assert after == before
    kinds = {problem.kind for report in data.reports for problem in report.problems}
    assert {'class that is only in the training', 'another order of the classes'} <= kinds


def test_bad_data_stop_a_fit(tmp_path):
    whole = json.loads((BCCD / 'val.json').read_text())
    for entry in whole['annotations']:
        entry['bbox'] = [value / 640 for value in entry['bbox']]
    path = tmp_path / 'val.json'
    path.write_text(json.dumps(whole))
    with pytest.raises(BadDataError, match='shares of the image'):
        prepare_data(BCCD / 'train.json', path, None, tmp_path / 'data')
    with pytest.raises(ValueError, match=r'--unlabelled .* has no photos'):
        prepare_data(BCCD, None, tmp_path, tmp_path / 'data')
    with pytest.raises(FileNotFoundError, match='--unlabelled gone is not a folder'):
        prepare_data(BCCD, None, Path('gone'), tmp_path / 'data')
