"""Proposals on disk: written whole, mapped, found by the end of a path."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest

from mmpixcon.datasets.proposals.store import Proposals, write_proposals


def random_boxes(count, seed=0):
    return np.random.default_rng(seed).uniform(0, 99, (count, 4)).astype(np.float32)


@pytest.fixture
def written(tmp_path):
    boxes = {'b/2.jpg': random_boxes(3), 'a/2.jpg': random_boxes(0), 'ä.png': random_boxes(5, 1)}
    write_proposals(tmp_path / 'found', boxes, boxes.values())
    return tmp_path / 'found', boxes


def test_boxes_come_back(written):
    folder, boxes = written
    proposals = Proposals(folder)
    assert len(proposals) == 3
    for name, expected in boxes.items():
        for path in (name, f'/data/moved/{name}'):
            assert np.array_equal(proposals.find(path), expected)
    for path in ('2.jpg', '/data/c/2.jpg', 'b/2.jpgg', 'x' * 300 + '.png', 'A/2.jpg'):
        assert proposals.find(path) is None
    # Mapped, here and in other processes, and loaded without pickle.
    again = pickle.loads(pickle.dumps(proposals))
    assert len(pickle.dumps(proposals)) < 300
    assert isinstance(again._boxes, np.memmap) and isinstance(again._names, np.memmap)
    assert np.array_equal(again.find('b/2.jpg'), boxes['b/2.jpg'])


def test_boxes_of_118_thousand_images_open_in_a_moment(tmp_path):
    images, each = 118_287, 512
    names = np.array([f'train2017/{i:012d}.jpg' for i in range(images)], np.bytes_)
    np.save(tmp_path / 'names.npy', names)
    np.save(tmp_path / 'offsets.npy', np.arange(images + 1) * each)
    # 970 MB, of which nothing but one image's boxes is on the disk.
    boxes = np.lib.format.open_memmap(tmp_path / 'boxes.npy', 'w+', np.float32, (images * each, 4))
    target = random_boxes(each)
    boxes[77_777 * each : 77_778 * each] = target
    boxes.flush()
    start = time.perf_counter()
    proposals = Proposals(tmp_path)
    actual = proposals.find('/elsewhere/coco/train2017/000000077777.jpg')
    assert time.perf_counter() - start < 1
    assert len(proposals) == images and np.array_equal(actual, target)
    # Nor does a worker of a data loader copy anything.
    assert len(pickle.dumps(proposals)) < 500


def test_writing_replaces_or_leaves(written):
    folder, boxes = written
    for names, rows, message in (
        (['a', 'a'], [random_boxes(1)] * 2, '2 names, 1 of them different'),
        (['a'], [], '0 images for 1 names'),
        (['a'], [np.full((1, 4), np.nan)], 'proposals of a are not finite'),
    ):
        with pytest.raises(ValueError, match=message):
            write_proposals(folder, names, rows)
    assert np.array_equal(Proposals(folder).find('b/2.jpg'), boxes['b/2.jpg'])
    write_proposals(folder, ['c.jpg'], [random_boxes(2)])
    assert len(Proposals(folder)) == 1
    assert [path.name for path in folder.parent.iterdir()] == ['found']
    write_proposals(folder, [], [])
    assert Proposals(folder).find('c.jpg') is None


def test_what_is_no_proposals_is_named(written):
    folder, _ = written
    with pytest.raises(FileNotFoundError, match=r'names.npy does not exist: .*write_proposals'):
        Proposals(folder.parent)
    np.save(folder / 'offsets.npy', np.array([0, 9]))
    with pytest.raises(ValueError, match=r"no proposals, .*'offsets': 'int64 \(2,\)'"):
        Proposals(folder)
    np.save(folder / 'offsets.npy', np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match='Python objects'):
        Proposals(folder)
