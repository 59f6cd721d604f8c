"""Labels in every format become the same COCO content."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mmpixcon.datasets.checks.annotations import clean_annotations
from mmpixcon.datasets.checks.source import split_of
from mmpixcon.datasets.checks.sources import find_sources

VOC = """<annotation><filename>{name}</filename><size><width>80</width><height>60</height>
<depth>3</depth></size>{objects}</annotation>"""
VOC_OBJECT = """<object><name>{name}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>
<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"""


def read(folder: Path, images: Path | None = None) -> dict[str, list]:
    """Boxes of each split: file name, class and box."""
    splits = {}
    for source in find_sources(folder, images):
        content, report = clean_annotations(source.read(), str(source.path))
        assert not report.problems, report.problems
        names = {category['id']: category['name'] for category in content['categories']}
        files = {image['id']: image for image in content['images']}
        for image in files.values():
            assert (source.images / image['file_name']).is_file()
            assert (image['width'], image['height']) == (80, 60)
        splits[source.split] = [
            (
                files[entry['image_id']]['file_name'],
                names[entry['category_id']],
                [round(value, 3) for value in entry['bbox']],
            )
            for entry in content['annotations']
        ]
    return splits


def expected(names: range) -> list:
    return [
        (f'{name}.png', label, box)
        for name in names
        for label, box in (('cat', [5, 6, 20, 10]), ('dog', [40, 30, 30, 20]))
    ]


SPLITS = dict(train=expected(range(10, 16)), val=expected(range(16, 18)))


def move(folder: Path, target: str, names: range) -> None:
    (folder / target).mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.move(folder / 'images' / f'{name}.png', folder / target / f'{name}.png')


def test_split_names():
    assert split_of('instances_val2017') == 'val' and split_of('valid') == 'val'
    assert split_of('train.json') == 'train' and split_of('constraints') == 'all'


def test_coco_beside_images(folder):
    assert read(folder) == SPLITS


def test_coco_in_annotations(folder):
    (folder / 'annotations').mkdir()
    for split in ('train', 'val'):
        (folder / f'{split}.json').rename(folder / f'annotations/instances_{split}2017.json')
    (folder / 'annotations/captions_train2017.json').write_text('{"annotations": []}')
    move(folder, 'train2017', range(10, 16))
    move(folder, 'val2017', range(16, 18))
    assert read(folder) == SPLITS


def test_coco_of_roboflow(folder):
    for split, name, numbers in (
        ('train', 'train', range(10, 16)),
        ('val', 'valid', range(16, 18)),
    ):
        move(folder, name, numbers)
        (folder / f'{split}.json').rename(folder / name / '_annotations.coco.json')
    assert read(folder) == SPLITS


def test_one_coco_file(folder):
    move(folder, 'elsewhere', range(10, 16))
    assert read(folder / 'train.json') == dict(train=SPLITS['train'])
    assert read(folder / 'train.json', folder / 'elsewhere') == dict(train=SPLITS['train'])


def write_yolo(folder: Path, target: str, split: str) -> None:
    """Write label files of a split; polygons for the second object of each image."""
    (folder / target).mkdir(parents=True, exist_ok=True)
    for name in sorted({name for name, _, _ in SPLITS[split]}):
        lines = []
        for file, label, (x, y, width, height) in SPLITS[split]:
            if file == name:
                center = ((x + width / 2) / 80, (y + height / 2) / 60, width / 80, height / 60)
                number = ('cat', 'dog').index(label)
                lines.append(' '.join(map(str, (number, *center))))
        (folder / target / name).with_suffix('.txt').write_text('\n'.join(lines))


@pytest.fixture
def unlabelled(folder: Path) -> Path:
    """The photos alone."""
    for split in ('train', 'val'):
        (folder / f'{split}.json').unlink()
    return folder


@pytest.mark.parametrize('names', ['[cat, dog]', '{0: cat, 1: dog}'])
def test_yolo_with_yaml(unlabelled, names):
    for split, numbers in (('train', range(10, 16)), ('val', range(16, 18))):
        move(unlabelled, f'images/{split}', numbers)
        write_yolo(unlabelled, f'labels/{split}', split)
    text = f'train: images/train\nval: images/val\nnames: {names}\n'
    (unlabelled / 'data.yaml').write_text(text)
    assert read(unlabelled) == SPLITS
    assert read(unlabelled / 'data.yaml') == SPLITS


def test_yolo_of_roboflow(unlabelled):
    for split, name, numbers in (
        ('train', 'train', range(10, 16)),
        ('val', 'valid', range(16, 18)),
    ):
        move(unlabelled, f'{name}/images', numbers)
        write_yolo(unlabelled, f'{name}/labels', split)
    # Roboflow's paths start from a folder beside.
    text = 'train: ../train/images\nval: ../valid/images\nnc: 2\nnames: [cat, dog]\n'
    (unlabelled / 'data.yaml').write_text(text)
    assert read(unlabelled) == SPLITS


def test_yolo_beside_the_photos(unlabelled):
    for split, numbers in (('train', range(10, 16)), ('val', range(16, 18))):
        move(unlabelled, split, numbers)
        write_yolo(unlabelled, split, split)
    (unlabelled / 'train' / '_darknet.labels').write_text('cat\ndog')
    (unlabelled / 'val' / '_darknet.labels').write_text('cat\ndog')
    # A photo without objects has an empty file, or none.
    (unlabelled / 'val' / '17.txt').write_text('')
    assert read(unlabelled) == dict(SPLITS, val=expected(range(16, 17)))


def test_yolo_photos_of_one_name_in_two_folders(unlabelled):
    for number, (name, x) in enumerate((('a', 0.25), ('b', 0.75)), 10):
        for kind in ('images', 'labels'):
            (unlabelled / kind / 'train' / name).mkdir(parents=True)
        photo = unlabelled / 'images' / f'{number}.png'
        photo.rename(unlabelled / 'images' / 'train' / name / 'same.png')
        label = unlabelled / 'labels' / 'train' / name / 'same.txt'
        label.write_text(f'0 {x} 0.5 0.1 0.1')
    (unlabelled / 'classes.txt').write_text('cat\n')
    boxes = read(unlabelled)['train']
    assert boxes == [('a/same.png', 'cat', [16, 27, 8, 6]), ('b/same.png', 'cat', [56, 27, 8, 6])]


def test_a_yolo_class_without_a_name(unlabelled):
    write_yolo(unlabelled, 'labels', 'train')
    (unlabelled / 'classes.txt').write_text('cat\n')
    with pytest.raises(ValueError, match='class numbers 1, and there are names only for 0: '):
        read(unlabelled)


def write_voc(folder: Path, target: str, split: str) -> None:
    (folder / target).mkdir(parents=True, exist_ok=True)
    for name in sorted({name for name, _, _ in SPLITS[split]}):
        boxes = ''.join(
            VOC_OBJECT.format(name=label, x1=x, y1=y, x2=x + width, y2=y + height)
            for file, label, (x, y, width, height) in SPLITS[split]
            if file == name
        )
        path = (folder / target / name).with_suffix('.xml')
        path.write_text(VOC.format(name=name, objects=boxes))


def test_voc(unlabelled):
    (unlabelled / 'images').rename(unlabelled / 'JPEGImages')
    lists = unlabelled / 'ImageSets' / 'Main'
    lists.mkdir(parents=True)
    for split in SPLITS:
        write_voc(unlabelled, 'Annotations', split)
        names = sorted({name[:-4] for name, _, _ in SPLITS[split]})
        (lists / f'{split}.txt').write_text('\n'.join(names))
    assert read(unlabelled) == SPLITS


def test_voc_in_folders_of_splits(unlabelled):
    for split, numbers in (('train', range(10, 16)), ('val', range(16, 18))):
        move(unlabelled, split, numbers)
        write_voc(unlabelled, split, split)
    assert read(unlabelled) == SPLITS


def test_labelme(unlabelled):
    for index, (name, label, (x, y, width, height)) in enumerate(SPLITS['train']):
        path = unlabelled / 'images' / f'{name[:-4]}.json'
        shapes = json.loads(path.read_text())['shapes'] if index % 2 else []
        corners = [[x, y], [x + width, y + height]]
        kind = 'rectangle'
        if index % 2:
            corners.insert(1, [x + width, y])
            kind = 'polygon'
        shapes.append(dict(label=label, points=corners, shape_type=kind, flags={}))
        content = dict(imagePath=name, imageWidth=80, imageHeight=60, shapes=shapes)
        path.write_text(json.dumps(dict(version='5.0', **content)))
    assert read(unlabelled / 'images') == dict(all=SPLITS['train'])


def test_cvat(unlabelled):
    images = ''
    for number in range(10, 16):
        boxes = ''.join(
            f'<box label="{label}" xtl="{x}" ytl="{y}" xbr="{x + w}" ybr="{y + h}"/>'
            for name, label, (x, y, w, h) in SPLITS['train']
            if name == f'{number}.png'
        )
        images += f'<image name="{number}.png" width="80" height="60">{boxes}</image>'
    (unlabelled / 'annotations.xml').write_text(f'<annotations>{images}</annotations>')
    assert read(unlabelled) == dict(all=SPLITS['train'])


def test_a_label_file_that_is_cut_off(unlabelled):
    write_voc(unlabelled, 'images', 'train')
    path = unlabelled / 'images' / '12.xml'
    path.write_text(path.read_text()[:100])
    with pytest.raises(ValueError, match=r'12\.xml cannot be read'):
        read(unlabelled / 'images')


def test_nothing_there(tmp_path):
    with pytest.raises(ValueError, match='no labels of a known format: COCO'):
        find_sources(tmp_path)
    with pytest.raises(FileNotFoundError, match='nowhere does not exist'):
        find_sources(tmp_path / 'nowhere')
