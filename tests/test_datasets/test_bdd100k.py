"""BDD100K's labels in their three forms become one COCO file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from PIL import Image
from pycocotools.coco import COCO

from mmpixcon.datasets import bdd100k_labels
from mmpixcon.datasets.bdd100k import CLASSES, BDDSummary, convert
from mmpixcon.datasets.coco import RobustCocoDataset
from tests.helpers.configs import CONFIGS

OLD = {'pedestrian': 'person', 'motorcycle': 'motor', 'bicycle': 'bike'}
FORMS = ['list of 2018', 'list of 2020', 'folder']


def box(category: str, *corners: float, **attributes: Any) -> dict:
    """A label with a box."""
    marks = {'occluded': False, 'truncated': False, 'trafficLightColor': 'none', **attributes}
    return {
        'category': category,
        'attributes': marks,
        'manualShape': True,
        'manualAttributes': True,
        'box2d': dict(zip(('x1', 'y1', 'x2', 'y2'), corners)),
    }


LANE = {'category': 'lane', 'poly2d': [{'vertices': [[0, 0], [9, 9]], 'types': 'LL'}]}
AREA = {'category': 'drivable area', 'poly2d': [{'vertices': [[0, 0]], 'types': 'L'}]}
# In another order than their names.
FRAMES = [
    {
        'name': 'b.jpg',
        'attributes': {'weather': 'rainy', 'scene': 'highway', 'timeofday': 'night'},
        'timestamp': 10000,
        'labels': [
            box('car', 10.25, 20.5, 110.75, 70.0, occluded=True),
            LANE,
            box('pedestrian', 1200, 700, 1300.5, 730, truncated=True),
            box('traffic light', 5, 6, 15, 36, trafficLightColor='red'),
            AREA,
        ],
    },
    {
        'name': 'c.jpg',
        'attributes': {'weather': 'clear', 'scene': 'tunnel', 'timeofday': 'daytime'},
        'timestamp': 10001,
        'labels': [],
    },
    {
        'name': 'a.jpg',
        'attributes': {'weather': 'clear', 'scene': 'residential', 'timeofday': 'daytime'},
        'timestamp': 10000,
        'labels': [
            box('motorcycle', 0, 0, 10, 10),
            box('bicycle', -5, -5, 10, 10),
            # Nothing of these is left: no width, turned round, outside, not finite.
            box('car', 10, 10, 10, 20),
            box('car', 20, 10, 10, 20),
            box('car', 1290, 10, 1300, 20),
            box('car', float('nan'), 10, 20, 20),
            box('rider', 30, 40, 50, 80, occluded=True),
            box('car', 30, 40, 50, 80),
        ],
    },
]
NEW_ONLY = [
    box('other person', 0, 0, 20, 40),
    box('other vehicle', 100, 100, 200, 150, occluded=True),
    box('trailer', 300, 300, 400, 350),
]


def write(folder: Path, form: str, frames: list[dict]) -> Path:
    """Write frames in one of the forms, as the data set has them."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = json.loads(json.dumps(frames))
    if form == 'list of 2020':
        for frame in frames:
            for number, label in enumerate(frame['labels']):
                label['id'] = f'{number:08d}'
            if not frame['labels']:
                del frame['labels']
        path = folder / 'det_train.json'
        path.write_text(json.dumps(frames))
        return path
    for frame in frames:
        for number, label in enumerate(frame['labels']):
            label['id'] = number
            label['category'] = OLD.get(label['category'], label['category'])
    if form == 'list of 2018':
        path = folder / 'bdd100k_labels_images_train.json'
        path.write_text(json.dumps(frames, indent=4))
        return path
    path = folder / 'train'
    path.mkdir()
    for frame in frames:
        name = frame['name'].removesuffix('.jpg')
        inner = {'timestamp': frame['timestamp'], 'objects': frame['labels']}
        content = {'name': name, 'frames': [inner], 'attributes': frame['attributes']}
        (path / f'{name}.json').write_text(json.dumps(content))
    return path


def run(labels: Path, out: Path, **options: Any) -> tuple[BDDSummary, dict]:
    """Convert quietly; returns the summary and what the file holds."""
    summary = convert(labels, out, stream=io.StringIO(), **options)
    return summary, json.loads(out.read_text())


def data_set(kind: type, folder: Path, metainfo: dict) -> CocoDataset:
    """A data set of a written file, without images."""
    return kind(
        data_root=str(folder), ann_file='coco.json', data_prefix={'img': ''}, metainfo=metainfo,
        pipeline=[],
    )  # fmt: skip


@pytest.mark.parametrize('form', FORMS)
def test_every_form_gives_these_values(form: str, tmp_path: Path) -> None:
    summary, content = run(write(tmp_path, form, FRAMES), tmp_path / 'new' / 'coco.json')
    assert [(c['id'], c['name']) for c in content['categories']] == list(enumerate(CLASSES, 1))
    assert content['images'] == [
        {
            'id': 1,
            'file_name': 'a.jpg',
            'width': 1280,
            'height': 720,
            'weather': 'clear',
            'scene': 'residential',
            'timeofday': 'daytime',
            'timestamp': 10000,
        },
        {
            'id': 2,
            'file_name': 'b.jpg',
            'width': 1280,
            'height': 720,
            'weather': 'rainy',
            'scene': 'highway',
            'timeofday': 'night',
            'timestamp': 10000,
        },
        {
            'id': 3,
            'file_name': 'c.jpg',
            'width': 1280,
            'height': 720,
            'weather': 'clear',
            'scene': 'tunnel',
            'timeofday': 'daytime',
            'timestamp': 10001,
        },
    ]
    rows = [
        (a['id'], a['image_id'], CLASSES[a['category_id'] - 1], a['bbox'], a['area'])
        for a in content['annotations']
    ]
    assert rows == [
        (1, 1, 'motorcycle', [0, 0, 10, 10], 100),
        (2, 1, 'bicycle', [0, 0, 10, 10], 100),
        (3, 1, 'rider', [30, 40, 20, 40], 800),
        (4, 1, 'car', [30, 40, 20, 40], 800),
        (5, 2, 'car', [10.25, 20.5, 100.5, 49.5], 4974.75),
        (6, 2, 'pedestrian', [1200, 700, 80, 20], 1600),
        (7, 2, 'traffic light', [5, 6, 10, 30], 300),
    ]
    annotations = content['annotations']
    assert [a['occluded'] for a in annotations] == [False, False, True, False, True, False, False]
    assert [a['truncated'] for a in annotations] == [False] * 5 + [True, False]
    assert [a['trafficLightColor'] for a in annotations] == ['none'] * 6 + ['red']
    assert [a['iscrowd'] for a in annotations] == [0] * 7
    assert (summary.images, summary.empty, summary.degenerate) == (3, 1, 4)
    assert (summary.unboxed, summary.unknown, summary.ignored) == (0, {}, {})
    assert {n: c for n, c in summary.boxes.items() if c} == {
        'pedestrian': 1,
        'rider': 1,
        'car': 2,
        'motorcycle': 1,
        'bicycle': 1,
        'traffic light': 1,
    }
    assert {n: c for n, c in summary.occluded.items() if c} == {'rider': 1, 'car': 1}
    assert summary.weather == {'rainy': 1, 'clear': 2}


def test_the_forms_give_the_same_file(tmp_path: Path) -> None:
    written = []
    for number, form in enumerate([*FORMS, FORMS[0]]):
        folder = tmp_path / str(number)
        # Whatever the order of the list.
        frames = FRAMES if number < 3 else FRAMES[::-1]
        run(write(folder, form, frames), folder / 'coco.json')
        written.append((folder / 'coco.json').read_bytes())
    assert written[0] == written[1] == written[2] == written[3]


def test_regions_to_ignore(tmp_path: Path) -> None:
    """What is kept of 2020's further categories; no detector learns from them."""
    frames = [{**FRAMES[0], 'labels': [*NEW_ONLY, box('car', 1, 1, 9, 9)]}]
    summary, content = run(write(tmp_path, 'list of 2020', frames), tmp_path / 'coco.json')
    rows = [(CLASSES[a['category_id'] - 1], a['iscrowd']) for a in content['annotations']]
    assert rows == [('pedestrian', 1), ('car', 1), ('truck', 1), ('car', 0)]
    assert summary.ignored == {'other person': 1, 'other vehicle': 1, 'trailer': 1}
    assert sum(summary.boxes.values()) == summary.boxes['car'] == 1
    assert sum(summary.occluded.values()) == 0
    dataset = data_set(RobustCocoDataset, tmp_path, {'classes': CLASSES})
    flags = [i['ignore_flag'] for i in dataset.get_data_info(0)['instances']]
    assert flags == [1, 1, 1, 0]


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('kind', [CocoDataset, RobustCocoDataset])
def test_pycocotools_and_data_sets_read_it(form: str, kind: type, tmp_path: Path) -> None:
    """With the classes of the shipped config, in their order."""
    run(write(tmp_path, form, FRAMES), tmp_path / 'coco.json')
    coco = COCO(tmp_path / 'coco.json')
    assert sorted(coco.imgs) == [1, 2, 3]
    assert [a['bbox'] for a in coco.loadAnns(coco.getAnnIds(imgIds=[2], catIds=[3]))] == [
        [10.25, 20.5, 100.5, 49.5]
    ]
    metainfo = Config.fromfile(CONFIGS / '_base_/datasets/bdd100k.py').bdd_data.metainfo
    dataset = data_set(kind, tmp_path, metainfo)
    assert dataset.metainfo['classes'] == CLASSES
    found = [dataset.get_data_info(i)['instances'] for i in range(len(dataset))]
    assert [[CLASSES[i['bbox_label']] for i in instances] for instances in found] == [
        ['motorcycle', 'bicycle', 'rider', 'car'],
        ['car', 'pedestrian', 'traffic light'],
        [],
    ]
    assert found[1][0]['bbox'] == [10.25, 20.5, 110.75, 70.0]


def test_sizes_come_from_the_images_or_the_argument(tmp_path: Path) -> None:
    labels = write(tmp_path, 'list of 2018', FRAMES)
    images = tmp_path / 'images'
    images.mkdir()
    for name, (width, height) in {'a': (40, 60), 'b': (1280, 720), 'c': (7, 9)}.items():
        image = Image.fromarray(np.zeros((height, width, 3), np.uint8))
        image.save(images / f'{name}.jpg')
    _, content = run(labels, tmp_path / 'from_images.json', img_dir=images)
    assert [(i['width'], i['height']) for i in content['images']] == [(40, 60), (1280, 720), (7, 9)]
    assert content['annotations'][2]['bbox'] == [30, 40, 10, 20]
    _, content = run(labels, tmp_path / 'from_size.json', size=(100, 50))
    assert {(i['width'], i['height']) for i in content['images']} == {(100, 50)}
    assert content['annotations'][2]['bbox'] == [30, 40, 20, 10]
    with pytest.raises(ValueError, match='give one of them'):
        run(labels, tmp_path / 'both.json', size=(100, 50), img_dir=images)
    (images / 'b.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'b\.jpg does not exist.*frame 1 \(b\.jpg\)'):
        run(labels, tmp_path / 'missing.json', img_dir=images)
    (images / 'b.jpg').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'b\.jpg is no readable image'):
        run(labels, tmp_path / 'broken.json', img_dir=images)
    with pytest.raises(FileNotFoundError, match='nowhere is no folder'):
        run(labels, tmp_path / 'nowhere.json', img_dir=tmp_path / 'nowhere')


def test_unknown_categories_are_counted_and_other_labels_are_no_boxes(tmp_path: Path) -> None:
    labels = [
        box('tram', 0, 0, 9, 9),
        box('tram', 0, 0, 9, 9),
        box('kiosk', 0, 0, 9, 9),
        {'category': 'car', 'box2d': None},
        {'category': 'lane/crosswalk', 'poly2d': []},
        # Without attributes.
        {'category': 'bus', 'box2d': {'x1': 1, 'y1': 2, 'x2': 4, 'y2': 6}, 'attributes': None},
    ]
    frames = [{'name': 'a.jpg', 'labels': labels}, {'name': 'b.jpg', 'labels': None}]
    (tmp_path / 'l.json').write_text(json.dumps(frames))
    summary, content = run(tmp_path / 'l.json', tmp_path / 'coco.json')
    assert summary.unknown == {'tram': 2, 'kiosk': 1}
    assert summary.warning() == 'boxes of unknown categories are left out: tram 2, kiosk 1'
    assert (summary.unboxed, summary.empty, summary.weather) == (1, 1, {'not given': 2})
    (annotation,) = content['annotations']
    assert annotation == {
        'id': 1,
        'image_id': 1,
        'category_id': 5,
        'bbox': [1, 2, 3, 4],
        'area': 12,
        'iscrowd': 0,
    }
    assert content['images'][0] == {
        'id': 1,
        'file_name': 'a.jpg',
        'width': 1280,
        'height': 720,
    }


def test_the_table(tmp_path: Path) -> None:
    summary, _ = run(write(tmp_path, 'folder', FRAMES), tmp_path / 'coco.json')
    table = summary.table().splitlines()
    assert table[0].split() == ['boxes', 'occluded']
    assert table[3].split() == ['car', '2', '50.0%']
    assert table[4].split() == ['truck', '0', '-']
    assert table[11].split() == ['all', '7', '28.6%']
    assert table[12:16] == [
        'regions to ignore: none',
        'images: 3, 1 of them without a box',
        'weather: clear 2, rainy 1',
        'left out: 4 boxes without an area, 0 labels without a box, 0 boxes of unknown categories',
    ]
    assert summary.warning() is None


def test_a_long_list_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the pieces end, in words, numbers and between."""
    labels = write(tmp_path, 'list of 2018', FRAMES)
    _, expected = run(labels, tmp_path / 'whole.json')
    for chunk in (1, 2, 3, 7, 64, 1000):
        monkeypatch.setattr(bdd100k_labels, '_CHUNK', chunk)
        _, content = run(labels, tmp_path / f'{chunk}.json')
        assert content == expected


def test_a_folder_shows_progress(tmp_path: Path) -> None:
    stream = io.StringIO()
    convert(write(tmp_path, 'folder', FRAMES), tmp_path / 'coco.json', stream=stream)
    assert stream.getvalue() == 'reading train: 3/3 files, 0 s, 0 s left\n'


LIST = 'Give a list file of BDD100K'
BAD_LISTS = {
    'no JSON': ('hello', r'bad\.json is not JSON.*download complete'),
    'nothing': ('', r'bad\.json is not JSON'),
    'binary': (b'\xff\xfe\x00', r'bad\.json is not JSON'),
    'an object': ('{"images": []}', rf'bad\.json is an object, not a list of frames\. {LIST}'),
    'an empty list': ('[]', rf'bad\.json is an empty list.*{LIST}'),
    'cut off': ('[{"name": "a.jpg", "labels": [', r'bad\.json is not JSON .*download complete'),
    'cut off after a frame': ('[{"name": "a.jpg"}', r"is not JSON \('' where a comma or \]"),
    'no comma': ('[{"name": "a.jpg"} {"name": "b.jpg"}]', r"is not JSON \('\{' where a comma"),
    'more than a list': ('[{"name": "a.jpg"}] 1', r"text after the list: '1'"),
    'a number': ('[3]', rf'bad\.json, frame 1 is a number, not an object.*{LIST}'),
    'no name': ('[{"name": "a.jpg"}, {"labels": []}]', r'bad\.json, frame 2 has no name'),
    'no text': ('[{"name": 3}]', r'frame 1 has no name'),
    'a name twice': (
        '[{"name": "a.jpg"}, {"name": "a.jpg"}]',
        r'frame 2 \(a\.jpg\): the name a\.jpg was already given by .*frame 1 \(a\.jpg\)',
    ),
    'labels of one image': (
        '[{"name": "a", "frames": []}]',
        r'frame 1 has frames of its own.* give the folder',
    ),
    'no list of labels': (
        '[{"name": "a.jpg", "labels": {"a": 1}}]',
        r'labels is an object, not a list',
    ),
    'no attributes': (
        '[{"name": "a.jpg", "attributes": [1]}]',
        r'attributes is a list, not an object',
    ),
    'no category': ('[{"name": "a.jpg", "labels": [{}]}]', r'\(a\.jpg\), label 1 has no category'),
    'a broken box': (
        '[{"name": "a.jpg", "labels": [{"category": "car", "box2d": {"x1": 1}}]}]',
        r'label 1: box2d is \{"x1": 1\}, not four numbers x1, y1, x2, y2',
    ),
}


@pytest.mark.parametrize('case', BAD_LISTS)
def test_bad_lists_are_refused(case: str, tmp_path: Path) -> None:
    content, message = BAD_LISTS[case]
    path = tmp_path / 'bad.json'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        run(path, tmp_path / 'coco.json')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['bad.json']


def test_corruption_is_found_without_reading_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bdd100k_labels, '_CHUNK', 1 << 10)
    monkeypatch.setattr(bdd100k_labels, '_CUT_OFF', 1 << 8)
    shown = []
    monkeypatch.setattr(bdd100k_labels.Progress, 'show', lambda self, done: shown.append(done))
    path = tmp_path / 'bad.json'
    path.write_text('[{"name": oops, "labels": []}' + ', {"name": "a.jpg"}' * 10**5 + ']')
    with pytest.raises(ValueError, match=r"near '\{\"name\": oops"):
        run(path, tmp_path / 'coco.json')
    # Of some 1800 pieces.
    assert len(shown) == 1


def test_bad_folders_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / 'labels'
    (folder / 'train').mkdir(parents=True)
    out = tmp_path / 'coco.json'
    with pytest.raises(ValueError, match=r'holds no \.json file\. It has the folders train: give'):
        run(folder, out)
    cases = {
        'oops': r'a\.json is not JSON',
        '[]': r'a\.json is a list, not the labels of one image',
        '{"name": "a"}': r'a\.json is an object, not the labels of one image',
        '{"frames": []}': r'a\.json has no name',
        '{"name": "a", "frames": [1]}': r'a\.json: its frame is a number',
        '{"name": "a", "frames": [{}, {}]}': r'a\.json holds 2 frames, not one',
        '{"name": "a", "frames": [{"objects": 1}]}': r'\(a\.jpg\): objects is a number, not a list',
    }
    for content, message in cases.items():
        (folder / 'a.json').write_text(content)
        with pytest.raises(ValueError, match=message):
            run(folder, out)
    for name in 'ab':
        (folder / f'{name}.json').write_text('{"name": "a", "frames": []}')
    with pytest.raises(ValueError, match=r'b\.json \(a\.jpg\): the name a\.jpg .*a\.json \(a'):
        run(folder, out)
    (folder / 'b.json').unlink()
    summary, _ = run(folder, out)
    assert (summary.images, summary.empty) == (1, 1)


def test_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the labels, nor a file that is there, nor half a file is left."""
    with pytest.raises(FileNotFoundError, match=rf'none\.json does not exist\. {LIST}'):
        run(tmp_path / 'none.json', tmp_path / 'coco.json')
    labels = write(tmp_path, 'list of 2020', FRAMES)
    folder = write(tmp_path, 'folder', FRAMES)
    for source, out in ((labels, labels), (folder, folder / 'coco.json')):
        with pytest.raises(ValueError, match='would become part of the labels'):
            run(source, out, overwrite=True)
    with pytest.raises(ValueError, match='is a folder: give the file'):
        run(labels, folder)
    out = tmp_path / 'coco.json'
    out.write_text('mine')
    with pytest.raises(FileExistsError, match='already there: give another file, or --overwrite'):
        run(labels, out)
    assert out.read_text() == 'mine'

    def fail(*args: Any) -> None:
        raise OSError('disk full')

    with monkeypatch.context() as patch:
        patch.setattr('os.replace', fail)
        with pytest.raises(OSError, match='disk full'):
            run(labels, out, overwrite=True)
    assert out.read_text() == 'mine'
    assert not list(tmp_path.glob('*.part'))
    run(labels, out, overwrite=True)
    assert json.loads(out.read_text())['images'][0]['file_name'] == 'a.jpg'
