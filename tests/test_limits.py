"""Files of absurd size are refused before they are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config

from mmpixcon.datasets.checks.reading import read_json
from mmpixcon.datasets.checks.sources import find_sources
from mmpixcon.datasets.coco import RobustCocoDataset
from mmpixcon.datasets.data_files import check_data_files
from mmpixcon.datasets.preparation.coco_boxes import read_coco_boxes
from mmpixcon.datasets.preparation.subsets import write_subsets
from mmpixcon.datasets.unlabelled import UnlabelledDataset
from mmpixcon.limits import ANNOTATION_BYTES, check_annotation_size
from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool

VARIABLE = 'MMPIXCON_MAX_ANNOTATION_BYTES'
CONTENT = dict(
    images=[dict(id=1, file_name='1.png', width=8, height=8)],
    annotations=[dict(id=1, image_id=1, category_id=1, bbox=[0, 0, 4, 4], area=16, iscrowd=0)],
    categories=[dict(id=1, name='cat')],
)


def in_dataset(path: Path) -> None:
    """Check the files of a config with a data set of mmdet."""
    dataset = dict(type='CocoDataset', ann_file=path.name, data_root=str(path.parent))
    check_data_files(Config(dict(train_dataloader=dict(dataset=dataset))), ('train',))


def in_metric(path: Path) -> None:
    """Check the files of a config with an evaluation."""
    check_data_files(Config(dict(val_evaluator=dict(ann_file=str(path)))), ('val',))


READERS: dict[str, Callable[[Path], object]] = {
    'check and fit': lambda path: [source.read() for source in find_sources(path)],
    'a data set of a config': in_dataset,
    'an evaluation of a config': in_metric,
    'our data set': lambda path: RobustCocoDataset(
        ann_file=path.name,
        data_root=str(path.parent),
        data_prefix=dict(img=''),
        metainfo=dict(classes=('cat',)),
        pipeline=[],
    ),
    'photos without labels': lambda path: UnlabelledDataset(
        ann_file=path.name, data_root=str(path.parent), pipeline=[]
    ),
    'boxes': read_coco_boxes,
    'subsets': lambda path: write_subsets(path, path.parent / 'out', [50], [0]),
}


@pytest.mark.parametrize('reader', READERS)
def test_every_reader_of_annotations_keeps_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    path = tmp_path / 'train.json'
    path.write_text(json.dumps(CONTENT))
    (tmp_path / '1.png').touch()
    size = path.stat().st_size
    monkeypatch.setenv(VARIABLE, str(size))
    READERS[reader](path)
    monkeypatch.setenv(VARIABLE, str(size - 1))
    with pytest.raises(ValueError, match=f'set {VARIABLE}={size} to read it'):
        READERS[reader](path)


def test_labels_of_one_photo_keep_it_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = [dict(label='cat', shape_type='rectangle', points=[[0, 0], [4, 4]])]
    label = dict(imagePath='1.png', imageWidth=8, imageHeight=8, shapes=shapes)
    (tmp_path / '1.json').write_text(json.dumps(label))
    (source,) = find_sources(tmp_path)
    assert len(source.read()['annotations']) == 1
    monkeypatch.setenv(VARIABLE, '50')
    with pytest.raises(ValueError, match=r'1\.json has .* bytes, which are more than 50'):
        source.read()


def test_without_the_variable_it_is_two_gigabytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    path = tmp_path / 'train.json'
    # Holes take no place on the disk.
    with path.open('wb') as file:
        file.truncate(2_000_000_000)
    check_annotation_size(path)
    with path.open('r+b') as file:
        file.truncate(5_000_000_000)
    with pytest.raises(ValueError) as caught:
        read_json(path)
    assert str(caught.value) == (
        f'{path} has 5,000,000,000 bytes, which are more than 2,000,000,000. Reading it may take '
        f'35.0 GB of memory. If it is the file that you mean, set {VARIABLE}=5000000000 to read '
        'it, or give one of fewer images.'
    )
    config = tmp_path / 'config.py'
    base = 'mmpixcon::stock/faster-rcnn_r18_fpn_1xb8-12e_scenes.py'
    config.write_text(
        f"_base_ = '{base}'\ncheck_data = False\n"
        f'train_dataloader = dict(dataset=dict(data_root={str(tmp_path)!r}, '
        "ann_file='train.json', data_prefix=dict(img='')))\n"
        'val_dataloader = val_cfg = val_evaluator = None\n'
    )
    status, _, error = run_tool(ROOT / 'tools/train.py', config, '--work-dir', tmp_path / 'run')
    assert status == 1 and f'set {VARIABLE}=5000000000' in error


@pytest.mark.parametrize('text', ['much', '0', '-1', '2e9', ''])
def test_a_limit_has_to_be_a_number(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ValueError, match=f'{VARIABLE}={text} must be a number of bytes above 0'):
        ANNOTATION_BYTES.read()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('[' * 200_000, 'is nested too deeply to hold annotations'),
        ('{"images": ' + '9' * 10_000 + '}', 'cannot be read: .*digits'),
    ],
)
def test_json_that_breaks_its_reader_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / 'train.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=rf'train\.json {message}'):
        read_json(path)
