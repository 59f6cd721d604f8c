"""BDD100K's labels in their three forms become one COCO file."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from PIL import Image
from pycocotools.coco import COCO

from mmpixcon.datasets.coco import RobustCocoDataset
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import load_tool, run_tool

TOOL = ROOT / 'tools' / 'dataset_converters' / 'bdd100k_to_coco.py'
CONVERTER = load_tool(TOOL)
CLASSES = CONVERTER.CLASSES

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
            # Nothing of these is left: no width, turned round, outside.
            box('car', 10, 10, 10, 20),
            box('car', 20, 10, 10, 20),
            box('car', 1290, 10, 1300, 20),
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


def run(labels: Path, out: Path, **options: Any) -> tuple[Counter, dict]:
    """Convert; returns the counts and what the file holds."""
    counts = CONVERTER.convert(labels, out, **options)
    return counts, json.loads(out.read_text())


def data_set(kind: type, folder: Path, metainfo: dict) -> CocoDataset:
    """A data set of a written file, without images."""
    return kind(
        data_root=str(folder), ann_file='coco.json', data_prefix={'img': ''}, metainfo=metainfo,
        pipeline=[],
    )  # fmt: skip


@pytest.mark.parametrize('form', FORMS)
def test_every_form_gives_these_values(form: str, tmp_path: Path) -> None:
    counts, content = run(write(tmp_path, form, FRAMES), tmp_path / 'new' / 'coco.json')
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
    assert +counts == {
        **{'images': 3, 'images without a box': 1, 'left out: no area': 3},
        **{'pedestrian': 1, 'rider': 1, 'car': 2, 'motorcycle': 1, 'bicycle': 1},
        'traffic light': 1,
    }


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
    counts, content = run(write(tmp_path, 'list of 2020', frames), tmp_path / 'coco.json')
    rows = [(CLASSES[a['category_id'] - 1], a['iscrowd']) for a in content['annotations']]
    assert rows == [('pedestrian', 1), ('car', 1), ('truck', 1), ('car', 0)]
    regions = {name: n for name, n in counts.items() if 'ignore' in name}
    assert regions == {
        f'region to ignore: {c}': 1 for c in ('other person', 'other vehicle', 'trailer')
    }
    assert counts['car'] == 1
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
    actual = [dataset.get_data_info(i)['instances'] for i in range(len(dataset))]
    assert [[CLASSES[i['bbox_label']] for i in instances] for instances in actual] == [
        ['motorcycle', 'bicycle', 'rider', 'car'],
        ['car', 'pedestrian', 'traffic light'],
        [],
    ]
    assert actual[1][0]['bbox'] == [10.25, 20.5, 110.75, 70.0]


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
    (images / 'b.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'b\.jpg does not exist.*frame 1 \(b\.jpg\)'):
        run(labels, tmp_path / 'missing.json', img_dir=images)
    (images / 'b.jpg').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'b\.jpg is no readable image'):
        run(labels, tmp_path / 'broken.json', img_dir=images)


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
    counts, content = run(tmp_path / 'l.json', tmp_path / 'coco.json')
    assert +counts == {
        **{'images': 2, 'images without a box': 1, 'bus': 1, 'left out: no box': 1},
        **{'left out: unknown category tram': 2, 'left out: unknown category kiosk': 1},
    }
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


LIST = 'Give a list file of BDD100K'
BAD_LISTS = {
    'no JSON': ('hello', r'bad\.json is not JSON.*download complete'),
    'nothing': ('', r'bad\.json is not JSON'),
    'binary': (b'\xff\xfe\x00', r'bad\.json is not JSON'),
    'an object': ('{"images": []}', rf'bad\.json is an object, not a list of frames\. {LIST}'),
    'an empty list': ('[]', rf'bad\.json holds no labels.*{LIST}'),
    'cut off': ('[{"name": "a.jpg", "labels": [', r'bad\.json is not JSON .*download complete'),
    'cut off after a frame': ('[{"name": "a.jpg"}', r'is not JSON'),
    'no comma': ('[{"name": "a.jpg"} {"name": "b.jpg"}]', r'is not JSON'),
    'more than a list': ('[{"name": "a.jpg"}] 1', r'is not JSON'),
    'a number': ('[3]', rf'bad\.json, frame 1 is not an object.*{LIST}'),
    'no name': ('[{"name": "a.jpg"}, {"labels": []}]', r'bad\.json, frame 2 has no name'),
    'no text': ('[{"name": 3}]', r'frame 1 has no name'),
    'a name twice': (
        '[{"name": "a.jpg"}, {"name": "a.jpg"}]',
        r'frame 2 \(a\.jpg\): the name a\.jpg was already given by .*frame 1 \(a\.jpg\)',
    ),
    'labels of one image': (
        '[{"name": "a", "frames": []}]',
        r'frame 1 is the file of one image: give the folder',
    ),
    'no list of labels': (
        '[{"name": "a.jpg", "labels": {"a": 1}}]',
        r'labels is not a JSON list',
    ),
    'no attributes': (
        '[{"name": "a.jpg", "attributes": [1]}]',
        r'attributes is not a JSON dict',
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


def test_bad_folders_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / 'labels'
    (folder / 'train').mkdir(parents=True)
    out = tmp_path / 'coco.json'
    with pytest.raises(ValueError, match=r'holds no \.json file\. It has the folders train: give'):
        run(folder, out)
    cases = {
        'oops': r'a\.json is not JSON',
        '[]': r'a\.json does not hold the labels of one image',
        '{"name": "a"}': r'a\.json does not hold the labels',
        '{"frames": []}': r'a\.json has no name',
        '{"name": "a", "frames": [1]}': r'a\.json: its frame is not an object',
        '{"name": "a", "frames": [{}, {}]}': r'a\.json does not hold the labels',
        '{"name": "a", "frames": [{"objects": 1}]}': r'\(a\.jpg\): labels is not a JSON list',
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
    counts, _ = run(folder, out)
    assert counts['images'] == counts['images without a box'] == 1


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


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / 'bdd100k_labels_images_val.json'
    boxes = [box('person', 1, 2, 30, 40), box('tram', 1, 2, 30, 40)]
    path.write_text(json.dumps([{'name': 'a.jpg', 'labels': boxes}]))
    return path


def test_the_command_writes_and_says_what(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / 'coco' / 'val.json'
    status, printed, error = run_tool(TOOL, labels, '--out', out, '--size', '20x50')
    assert status == 0, error
    lines = printed.splitlines()
    assert ['pedestrian', '1'] in [line.split() for line in lines] and f'in {out}' in lines
    assert 'warning: left out: unknown category tram' in error
    assert json.loads(out.read_text())['annotations'][0]['bbox'] == [1, 2, 19, 38]
    status, _, error = run_tool(TOOL, labels, '--out', out)
    assert status == 1 and f'bdd100k_to_coco: {out} is already there' in error
    assert 'Traceback' not in error
    assert run_tool(TOOL, labels, '--out', out, '--overwrite')[0] == 0
    assert json.loads(out.read_text())['annotations'][0]['bbox'] == [1, 2, 29, 38]


def test_arguments_are_checked(labels: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (['--size', '20'], "'20' is not WIDTHxHEIGHT, such as 1280x720"),
        (['--size', '0x5'], 'is not WIDTHxHEIGHT'),
        (['--size', '20x30', '--img-dir', '.'], 'not allowed with argument'),
    ):
        status, _, error = run_tool(TOOL, labels, '--out', tmp_path / 'x.json', *arguments)
        assert status == 2 and message in error


def test_without_ijson_the_remedy_is_named(labels: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, 'ijson', None)
    with pytest.raises(ValueError, match=r"pip install 'ijson>=3'"):
        run(labels, tmp_path / 'coco.json')
