"""COCO data sets with missing files, other classes and bad images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from mmpixcon.datasets.coco import RobustCocoDataset
from mmpixcon.datasets.unreadable import UnreadableImageError

NUMBER = 10


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten small images of three categories, one box each."""
    (tmp_path / 'images').mkdir()
    for i in range(NUMBER):
        Image.fromarray(np.full((8, 8, 3), i, np.uint8)).save(tmp_path / f'images/{i}.png')
    content = {
        'images': [
            {'id': i, 'file_name': f'{i}.png', 'width': 8, 'height': 8} for i in range(NUMBER)
        ],
        'annotations': [
            {'id': i, 'image_id': i, 'bbox': [0, 0, 4, 4], 'area': 16, 'category_id': 5 + i % 3}
            for i in range(NUMBER)
        ],
        'categories': [{'id': 5 + i, 'name': name} for i, name in enumerate('abc')],
    }
    (tmp_path / 'a.json').write_text(json.dumps(content))
    return tmp_path


def dataset(root: Path, pipeline: tuple[Any, ...] = (), **kwargs: Any) -> RobustCocoDataset:
    """Data set that returns decoded images."""
    kwargs = {
        'ann_file': 'a.json',
        'data_prefix': {'img': 'images/'},
        'metainfo': {'classes': ('a', 'b', 'c')},
        **kwargs,
    }
    steps = [{'type': 'LoadImageFromFile'}, *pipeline]
    return RobustCocoDataset(data_root=str(root), pipeline=steps, **kwargs)


def damage(root: Path, *numbers: int) -> None:
    """Make images unreadable: no image, empty, missing, in turn."""
    for turn, number in enumerate(numbers):
        path = root / f'images/{number}.png'
        if turn % 3 == 2:
            path.unlink()
        else:
            path.write_bytes(b'' if turn % 3 else b'no image')


def test_a_sound_data_set_is_that_of_mmdet(root: Path) -> None:
    data = dataset(root)
    assert len(data) == NUMBER
    assert [int(data[i]['img'].mean()) for i in range(NUMBER)] == list(range(NUMBER))
    assert data[4]['instances'][0]['bbox_label'] == 1


@pytest.mark.parametrize(
    'change, path, key',
    [
        ({'ann_file': 'b.json'}, 'b.json', 'ann_file'),
        ({'data_prefix': {'img': 'pictures/'}}, 'pictures', 'data_prefix.img'),
    ],
)
def test_missing_files_are_named(root: Path, change: dict, path: str, key: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        dataset(root, **change)
    for part in (str(root / path), key, '--data-root', 'make_scenes.py'):
        assert part in str(caught.value)


def test_other_classes_are_refused_with_both_sides(root: Path) -> None:
    with pytest.raises(ValueError) as caught:
        dataset(root, metainfo={'classes': ('a', 'x')})
    message = str(caught.value)
    assert "classes that the file does not have: 'x'" in message
    assert "categories that are not in the classes: 'b', 'c'" in message
    assert "classes=('a', 'b', 'c')" in message


def test_a_subset_has_to_be_meant(root: Path) -> None:
    with pytest.raises(ValueError, match='allow_class_subset'):
        dataset(root, metainfo={'classes': ('a', 'c')})
    data = dataset(root, metainfo={'classes': ('a', 'c')}, allow_class_subset=True)
    labels = [[i['bbox_label'] for i in data[n]['instances']] for n in range(3)]
    assert labels == [[0], [], [1]]


def test_another_order_of_classes_is_refused(root: Path) -> None:
    with pytest.raises(ValueError, match=r"another order.*\n.*\('a', 'b', 'c'\)"):
        dataset(root, metainfo={'classes': ('b', 'a', 'c')})


def test_bad_images_are_skipped_and_counted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(
        'mmpixcon.datasets.unreadable.print_log', lambda message, **_: warnings.append(message)
    )
    damage(root, 2, 5, 7)
    data = dataset(root, max_bad_share=0.3)
    for _ in range(3):
        values = [int(data[i]['img'].mean()) for i in range(NUMBER)]
        assert not {2, 5, 7} & set(values)
        good = [i for i in range(NUMBER) if i not in (2, 5, 7)]
        assert [values[i] for i in good] == good
    # One for each image, however often it is met.
    assert len(warnings) == 3
    for number in (2, 5, 7):
        assert sum(f'images/{number}.png' in warning for warning in warnings) == 1
    assert '3 of 10 images so far, 3 allowed' in warnings[-1]


def test_too_many_bad_images_are_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage(root, 2, 5, 7)
    data = dataset(root, max_bad_share=0.2)
    # The image drawn instead must not be another bad one.
    monkeypatch.setattr(data, '_rand_another', lambda: 0)
    data[2], data[5]
    with pytest.raises(UnreadableImageError, match=r'3 of 10.*2\.png.*max_bad_share') as caught:
        data[7]
    assert 'images/7.png' in str(caught.value)


def test_one_bad_image_is_always_allowed(root: Path) -> None:
    damage(root, 2)
    assert dataset(root, max_bad_share=0.0)[2] is not None


@pytest.mark.parametrize('start', ['fork', pytest.param('spawn', marks=pytest.mark.slow)])
def test_workers_count_together(root: Path, start: str) -> None:
    damage(root, 2, 5)
    data = dataset(root, max_bad_share=0.2)
    loader = DataLoader(
        data,
        batch_size=1,
        num_workers=2,
        collate_fn=_pixel,
        multiprocessing_context=start,
    )
    assert len(list(loader)) == NUMBER
    assert data._bad.nonzero().flatten().tolist() == [2, 5]


def _pixel(batch: list[dict]) -> int:
    return int(batch[0]['img'].mean())


def test_in_testing_a_bad_image_is_an_error(root: Path) -> None:
    damage(root, 2)
    data = dataset(root, test_mode=True)
    with pytest.raises(UnreadableImageError, match=r'images/2\.png.*listed in .*a\.json'):
        data[2]


def test_other_failures_are_not_hidden(root: Path) -> None:
    def fail(results: dict) -> dict:
        raise KeyError('a mistake in the pipeline')

    with pytest.raises(KeyError, match='a mistake'):
        dataset(root, pipeline=(fail,))[0]
