"""Images without labels: their sources, and those that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from mmpixcon.datasets import UnlabelledDataset
from mmpixcon.datasets.unreadable import UnreadableImageError
from mmpixcon.registry import DATASETS

NAMES = ['a.png', 'b.PNG', 'deep/c.jpg', 'deep/er/d.jpeg', 'e f.bmp']
VALUES = {name: 40 * i for i, name in enumerate(NAMES)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five flat images in three folders, with a list and COCO annotations of them."""
    for name, value in VALUES.items():
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path)
    (tmp_path / 'images' / 'notes.txt').write_text('no image')
    (tmp_path / 'list.txt').write_text('\n'.join(NAMES) + '\n\n')
    images = [{'id': i, 'file_name': n, 'width': 8, 'height': 8} for i, n in enumerate(NAMES)]
    annotation = {'id': 1, 'image_id': 0, 'category_id': 1, 'bbox': [0, 0, 4, 4]}
    (tmp_path / 'coco.json').write_text(json.dumps({'images': images, 'annotations': [annotation]}))
    return tmp_path


def dataset(root: Path, pipeline: tuple[Any, ...] = (), **kwargs: Any) -> UnlabelledDataset:
    """Data set that returns decoded images."""
    kwargs = {'data_root': str(root), 'data_prefix': {'img_path': 'images/'}, **kwargs}
    steps = [{'type': 'LoadImageFromFile'}, *pipeline]
    return UnlabelledDataset(pipeline=steps, **kwargs)


def values(data: UnlabelledDataset) -> list[int]:
    """Level of each image; JPEG keeps a flat one."""
    return [round(float(data[i]['img'].mean())) for i in range(len(data))]


@pytest.mark.parametrize('source', ['', 'list.txt', 'coco.json'])
def test_all_sources_give_the_same_images(root: Path, source: str) -> None:
    data = dataset(root, ann_file=source)
    assert values(data) == [0, 40, 80, 120, 160]
    paths = [data.get_data_info(i)['img_path'] for i in range(len(data))]
    assert paths == [str(root / 'images' / name) for name in NAMES]
    assert 'instances' not in data[0]


@pytest.mark.parametrize('source', ['', 'list.txt', 'coco.json'])
def test_folders_are_sorted_by_path_and_lists_keep_their_order(root: Path, source: str) -> None:
    """Paths whose last parts, or whose order in the list, are another order."""
    listed = ['z/a.png', 'y/b.png', 'c.png', 'y/a.png']
    for name in listed:
        path = root / 'others' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    (root / 'list.txt').write_text('\n'.join(listed))
    (root / 'coco.json').write_text(json.dumps({'images': [{'file_name': n} for n in listed]}))
    data = dataset(root, ann_file=source, data_prefix={'img_path': 'others/'})
    paths = [data.get_data_info(i)['img_path'] for i in range(len(data))]
    expected = listed if source else ['c.png', 'y/a.png', 'y/b.png', 'z/a.png']
    assert paths == [str(root / 'others' / name) for name in expected]


def test_absolute_paths_and_no_root(root: Path) -> None:
    (root / 'list.txt').write_text('\n'.join(str(root / 'images' / name) for name in NAMES))
    data = UnlabelledDataset(str(root / 'list.txt'), pipeline=[{'type': 'LoadImageFromFile'}])
    assert values(data) == [0, 40, 80, 120, 160]
    data = UnlabelledDataset(data_root=str(root), pipeline=[{'type': 'LoadImageFromFile'}])
    assert len(data) == 5


def test_options_of_base_datasets(root: Path) -> None:
    assert values(dataset(root, indices=2)) == [0, 40]
    assert values(dataset(root, indices=[3, 1])) == [120, 40]
    lazy = dataset(root, lazy_init=True)
    lazy.full_init()
    assert len(lazy) == 5
    assert len(dataset(root, suffixes=['.PNG'])) == 2
    assert values(dataset(root, data_prefix={'img': 'images/deep/'})) == [80, 120]


@pytest.mark.parametrize('scope', ['mmselfsup', 'mmdet', 'mmpixcon'])
def test_it_is_built_from_any_scope(root: Path, scope: str) -> None:
    config = dict(type='mmpixcon.UnlabelledDataset', data_root=str(root), _scope_=scope)
    assert len(DATASETS.build(config)) == 5


def test_bad_images_are_skipped_counted_and_named_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(
        'mmpixcon.datasets.unreadable.print_log', lambda message, **_: warnings.append(message)
    )
    (root / 'images/b.PNG').write_bytes(b'no image')
    path = root / 'images/deep/c.jpg'
    path.write_bytes(path.read_bytes()[:-30])
    drawn = []
    for _ in range(2):
        data = dataset(root, max_bad_share=0.5)
        np.random.seed(4)
        drawn.append([values(data), values(data)])
    # The image drawn instead depends on the seed alone.
    assert drawn[0] == drawn[1]
    for actual in drawn[0]:
        assert [actual[0], *actual[3:]] == [0, 120, 160]
        assert set(actual) == {0, 120, 160}
    assert len(warnings) == 4
    assert sum('images/b.PNG' in warning for warning in warnings) == 2
    assert '2 of 5 images so far, 2 allowed' in warnings[1]


@pytest.mark.parametrize('share, bad', [(0.0, 2), (1.0, 5)])
def test_too_many_bad_images_and_only_bad_ones_are_errors(
    root: Path, share: float, bad: int
) -> None:
    for name in NAMES[:bad]:
        (root / 'images' / name).write_bytes(b'')
    data = dataset(root, max_bad_share=share)
    with pytest.raises(UnreadableImageError, match=rf'of 5 images of {root}/images.*a\.png'):
        for i in range(5):
            data[i]


def test_a_single_image_that_is_bad_is_an_error(root: Path) -> None:
    (root / 'images/a.png').write_bytes(b'')
    with pytest.raises(UnreadableImageError, match='1 of 1 images'):
        dataset(root, indices=[0])[0]


def test_in_testing_a_bad_image_is_an_error_that_names_its_list(root: Path) -> None:
    (root / 'images/a.png').unlink()
    with pytest.raises(UnreadableImageError, match=r'a\.png.*listed in .*list\.txt'):
        dataset(root, ann_file='list.txt', test_mode=True)[0]


def test_other_failures_are_not_hidden(root: Path) -> None:
    def fail(results: dict) -> dict:
        raise KeyError('a mistake in the pipeline')

    with pytest.raises(KeyError, match='a mistake'):
        dataset(root, pipeline=(fail,))[0]


def test_workers_count_together(root: Path) -> None:
    for name in ('a.png', 'deep/c.jpg'):
        (root / 'images' / name).write_bytes(b'')
    data = dataset(root, max_bad_share=0.4)
    assert len(list(DataLoader(data, num_workers=2, collate_fn=len))) == 5
    assert data._bad.tolist() == [1, 0, 1, 0, 0]


@pytest.mark.parametrize(
    'change, message',
    [
        ({'data_prefix': {'img_path': 'pictures'}}, r'pictures does not exist.*data_prefix\.img_p'),
        ({'ann_file': 'other.txt'}, r'other\.txt does not exist.*ann_file'),
        ({'ann_file': 'list.txt', 'data_prefix': {'img': ''}}, r'a\.png does not exist.*list\.txt'),
    ],
)
def test_missing_files_are_named(root: Path, change: dict, message: str) -> None:
    with pytest.raises(FileNotFoundError, match=message) as caught:
        dataset(root, **change)
    assert 'data_root' in str(caught.value)


def test_a_list_with_labels_is_refused(root: Path) -> None:
    (root / 'list.txt').write_text('\n'.join(f'{name} 3' for name in NAMES))
    with pytest.raises(FileNotFoundError, match='one path per line, without labels'):
        dataset(root, ann_file='list.txt')


def test_sources_without_images_are_refused(root: Path) -> None:
    (root / 'empty').mkdir()
    (root / 'empty.txt').write_text('\n')
    (root / 'empty.json').write_text('{"images": []}')
    with pytest.raises(ValueError, match=r'empty lists no images with the endings \.jpg'):
        dataset(root, data_prefix={'img_path': 'empty'})
    for name in ('empty.txt', 'empty.json'):
        with pytest.raises(ValueError, match=f'{name} lists no images. .*data_root'):
            dataset(root, ann_file=name)


@pytest.mark.parametrize('content', ['[]', '{"info": 1}', '{"images": [{"id": 1}]}'])
def test_other_json_is_refused(root: Path, content: str) -> None:
    (root / 'coco.json').write_text(content)
    with pytest.raises(ValueError, match=r'coco\.json: expected COCO annotations'):
        dataset(root, ann_file='coco.json')


def test_a_source_must_be_given(root: Path) -> None:
    with pytest.raises(ValueError, match='nothing says where the images are'):
        UnlabelledDataset()
    with pytest.raises(ValueError, match='must have one entry'):
        dataset(root, data_prefix={'img': 'images', 'seg': 'maps'})
