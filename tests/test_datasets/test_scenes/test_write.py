"""The built-in scenes as COCO files: what is written, kept and refused."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from mmpixcon.datasets.scenes import write as scenes_coco
from mmpixcon.datasets.scenes.render import Scene, SceneConfig, preset, render_scene
from mmpixcon.datasets.scenes.write import SceneSet, write_scenes
from tests.helpers.configs import ROOT

TOOL = ROOT / 'tools' / 'dataset_converters' / 'make_scenes.py'


@pytest.fixture(scope='module')
def written(tmp_path_factory: pytest.TempPathFactory) -> SceneSet:
    """A small set on disk."""
    out = tmp_path_factory.mktemp('scenes') / 'set'
    return write_scenes(out, preset('hard', seed=5), num_train=24, num_val=9, stream=io.StringIO())


def files(out: Path) -> dict[str, str]:
    """Hashes of all files below a folder."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob('*'))
        if path.is_file()
    }


def make_scenes(*argv: str) -> int:
    """Run the tool in this process; returns its exit status."""
    spec = importlib.util.spec_from_file_location('make_scenes', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool.main([*argv, '--workers', '1'])


def test_coco_files(written: SceneSet) -> None:
    """What pycocotools reads is what was drawn."""
    config = preset('hard', seed=5)
    for subset, first, count in (('train', 0, 24), ('val', 1 << 30, 9)):
        coco = COCO(written.out / 'annotations' / f'{subset}.json')
        assert coco.dataset['info']['config']['seed'] == 5
        assert [c['name'] for c in coco.loadCats([1, 2, 3, 4])] == list(config.classes)
        assert sorted(coco.imgs) == list(range(1, count + 1))
        assert sorted(coco.anns) == list(range(1, len(coco.anns) + 1))
        for number in range(count):
            scene = render_scene(config, first + number)
            info = coco.imgs[number + 1]
            assert (info['width'], info['height']) == config.size
            image = cv2.imread(str(written.out / subset / info['file_name']))
            # What JPEG loses of fine noise, and no more.
            assert np.abs(image.astype(int) - scene.image).mean() < 12
            annotations = coco.loadAnns(coco.getAnnIds(imgIds=number + 1))
            assert len(annotations) == len(scene.labels)
            for i, annotation in enumerate(annotations):
                mask = coco.annToMask(annotation)
                np.testing.assert_array_equal(mask, scene.masks[i])
                x1, y1, x2, y2 = scene.boxes[i]
                assert annotation['bbox'] == [x1, y1, x2 - x1, y2 - y1]
                assert list(coco_mask.toBbox(annotation['segmentation'])) == annotation['bbox']
                assert annotation['area'] == mask.sum()
                assert annotation['category_id'] == scene.labels[i] + 1
                assert annotation['iscrowd'] == 0


def test_summary(written: SceneSet) -> None:
    """The table counts what the files hold."""
    content = json.loads((written.out / 'annotations' / 'train.json').read_text())
    train = written.subsets['train']
    areas = np.array([a['area'] for a in content['annotations']])
    assert (train.images, train.boxes, train.kept) == (24, len(areas), 0)
    assert sum(train.per_class.values()) == train.boxes
    assert train.small == (areas < 1024).sum() and train.large == (areas >= 9216).sum()
    assert train.small + train.medium + train.large == train.boxes
    rows = [line.split() for line in written.table().splitlines()]
    assert ['images', '24', '9'] in rows
    assert ['ring', *(str(s.per_class['ring']) for s in written.subsets.values())] in rows


def test_mmdet_reads_them(written: SceneSet) -> None:
    """The stock data set gives the boxes, labels and masks that were drawn."""
    from mmdet.datasets import CocoDataset

    config = preset('hard', seed=5)
    dataset = CocoDataset(
        data_root=str(written.out),
        ann_file='annotations/train.json',
        data_prefix=dict(img='train/'),
        metainfo=dict(classes=config.classes),
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
        ],
    )
    assert len(dataset) == 24
    for number in range(24):
        sample, scene = dataset[number], render_scene(config, number)
        boxes = sample['gt_bboxes'].tensor.numpy()
        np.testing.assert_array_equal(boxes, scene.boxes)
        np.testing.assert_array_equal(sample['gt_bboxes_labels'], scene.labels)
        np.testing.assert_array_equal(sample['gt_masks'].masks, scene.masks)


def test_workers_and_counts_change_nothing(written: SceneSet, tmp_path: Path) -> None:
    """Two processes and another number of scenes give the same files."""
    config = preset('hard', seed=5)
    write_scenes(tmp_path / 'set', config, num_train=30, num_val=9, workers=2, stream=io.StringIO())
    one, two = files(written.out), files(tmp_path / 'set')
    for name, value in one.items():
        assert name.endswith('.json') or two[name] == value, name
    content = [
        json.loads((out / 'annotations' / 'val.json').read_text())
        for out in (written.out, tmp_path / 'set')
    ]
    assert content[0]['annotations'] == content[1]['annotations']


def test_interrupted_run_goes_on(
    written: SceneSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No annotations before all is there; the next run keeps what was written."""
    out, config = tmp_path / 'set', preset('hard', seed=5)

    def stop_at_ten(config: SceneConfig, index: int) -> Scene:
        if index == 10:
            raise KeyboardInterrupt
        return render_scene(config, index)

    with monkeypatch.context() as patch:
        patch.setattr(scenes_coco, 'render_scene', stop_at_ten)
        with pytest.raises(KeyboardInterrupt):
            write_scenes(out, config, num_train=24, num_val=9, stream=io.StringIO())
    assert len(list((out / 'train').iterdir())) == 10
    assert not list((out / 'annotations').iterdir())
    times = {path: path.stat().st_mtime_ns for path in (out / 'train').iterdir()}

    progress = io.StringIO()
    again = write_scenes(out, config, num_train=24, num_val=9, stream=progress)
    assert again.subsets['train'].kept == 10 and again.subsets['val'].kept == 0
    assert all(path.stat().st_mtime_ns == value for path, value in times.items())
    assert files(out) == files(written.out)
    assert 'train: 24/24 images' in progress.getvalue()

    # Finished: nothing is drawn. With a picture gone, only that one is.
    before = {path: path.stat().st_mtime_ns for path in out.rglob('*')}
    third = write_scenes(out, config, num_train=24, num_val=9, stream=io.StringIO())
    assert (third.subsets['train'].kept, third.subsets['val'].kept) == (24, 9)
    assert third.subsets['train'].per_class == again.subsets['train'].per_class
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob('*')}
    (out / 'val' / '000004.jpg').unlink()
    fourth = write_scenes(out, config, num_train=24, num_val=9, stream=io.StringIO())
    assert (fourth.subsets['train'].kept, fourth.subsets['val'].kept) == (24, 8)
    assert files(out) == files(written.out)


def test_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line: table, refusal of another config, overwriting, errors."""
    out = tmp_path / 'set'
    common = ['--out', str(out), '--val', '2', '--preset', 'easy']
    size = ['--size', '96x64', '--objects', '2', '3']
    assert make_scenes(*common, '--train', '5', *size) == 0
    assert ['images', '5', '2'] in [s.split() for s in capsys.readouterr().out.splitlines()]
    image = cv2.imread(str(out / 'train' / '000004.jpg'))
    assert image.shape == (64, 96, 3)
    # A file of the user's own is left alone by --overwrite.
    (out / 'train' / 'notes.txt').write_text('mine')

    before = files(out)
    assert make_scenes(*common, '--train', '3', *size, '--seed', '9') == 1
    message = capsys.readouterr().err
    assert str(out) in message and '--out' in message and '--overwrite' in message
    assert 'seed 0, not 9' in message and 'train 5, not 3' in message
    assert files(out) == before

    assert make_scenes(*common, '--train', '3', *size, '--seed', '9', '--overwrite') == 0
    names = {path.name for path in (out / 'train').iterdir()}
    assert names == {'000000.jpg', '000001.jpg', '000002.jpg', 'notes.txt'}
    assert files(out)['train/000000.jpg'] != before['train/000000.jpg']
    assert json.loads((out / 'annotations' / 'val.json').read_text())['info']['config'] == {
        **json.loads((out / 'scenes.json').read_text())['config'],
        'seed': 9,
        'size': [96, 64],
        'objects': [2, 3],
    }

    capsys.readouterr()
    assert make_scenes('--out', str(out), '--objects', '4', '1') == 1
    assert 'SceneConfig.objects is (4, 1)' in capsys.readouterr().err
    assert make_scenes('--out', str(out), '--train', '0') == 1
    assert 'num_train is 0' in capsys.readouterr().err


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    """A folder with other things is refused, with ``overwrite`` as well."""
    (tmp_path / 'train').mkdir()
    (tmp_path / 'train' / '000001.jpg').write_bytes(b'a photo')
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match='not written by this tool'):
            write_scenes(tmp_path, num_train=1, num_val=1, overwrite=overwrite)
    assert os.listdir(tmp_path) == ['train']
    assert (tmp_path / 'train' / '000001.jpg').read_bytes() == b'a photo'
