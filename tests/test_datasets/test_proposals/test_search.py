"""Finders of proposals, and the loop that survives a kill."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmpixcon.datasets.proposals import search as module
from mmpixcon.datasets.proposals.finders import ProposalSettings, gradient_edges
from mmpixcon.datasets.proposals.search import find_proposals
from mmpixcon.datasets.proposals.store import Proposals
from mmpixcon.datasets.unlabelled import UnlabelledDataset
from tests.helpers.configs import ROOT

needs_contrib = pytest.mark.skipif(
    not hasattr(cv2, 'ximgproc'), reason='needs opencv-contrib-python (requirements/proposals.txt)'
)
RANDOM = ProposalSettings('random', max_boxes=5)
BOX = np.array([80, 50, 200, 140])


def rectangle(size: tuple[int, int] = (300, 200), box: np.ndarray = BOX) -> np.ndarray:
    image = np.full((size[1], size[0], 3), 60, np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = (40, 180, 220)
    return image


def best_overlap(boxes: np.ndarray, box: np.ndarray = BOX) -> float:
    shared = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = shared.clip(min=0).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return float((shared / (areas + (box[2:] - box[:2]).prod() - shared)).max())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven images and one that is none, in two folders."""
    (tmp_path / 'images' / 'b').mkdir(parents=True)
    random = np.random.default_rng(0)
    for i in range(7):
        path = tmp_path / 'images' / (f'b/{i}.png' if i % 2 else f'{i}.png')
        cv2.imwrite(str(path), random.integers(0, 255, (40 + i, 60, 3), np.uint8))
    (tmp_path / 'images' / '3.png').write_bytes(b'not an image')
    return tmp_path / 'images'


def find(out: Path, folder: Path, settings: ProposalSettings = RANDOM, **options: object):
    dataset = UnlabelledDataset(data_prefix=dict(img_path=str(folder)))
    return find_proposals(out, settings, dataset, stream=io.StringIO(), **options)


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@needs_contrib
@pytest.mark.parametrize('method', ['edge_boxes', 'selective_search'])
def test_a_rectangle_is_found(method: str) -> None:
    finder = ProposalSettings(method, max_boxes=30).finder()
    boxes = finder(rectangle(), 7)
    assert boxes.dtype == np.float32 and 0 < len(boxes) <= 30
    assert best_overlap(boxes) > 0.7
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= [300, 200]).all()
    # Other images in between leave no trace.
    finder(rectangle()[::2], 3)
    assert np.array_equal(finder(rectangle(), 7), boxes)
    # In raw pixels, of a tall image too.
    tall = np.array([30, 300, 110, 480])
    assert best_overlap(finder(rectangle((150, 700), tall), 7), tall) > 0.7


@needs_contrib
@pytest.mark.parametrize('method', ['edge_boxes', 'selective_search'])
def test_boxes_of_a_photo_do_not_depend_on_what_came_before(method: str) -> None:
    photo = cv2.imread(str(sorted((ROOT / 'examples' / 'bccd' / 'images').iterdir())[0]))
    finder = ProposalSettings(method).finder()
    boxes = finder(photo, 7)
    assert len(boxes) >= 30 and np.array_equal(finder(photo, 7), boxes)


@needs_contrib
def test_edges_of_a_structured_forest(tmp_path: Path) -> None:
    # One tree, one question: where the gradient in the middle of a patch is large, an edge.
    options = dict(stride=2, shrinkNumber=2, patchSize=32, patchInnerSize=16)
    options |= dict(numberOfGradientOrientations=4, gradientSmoothingRadius=0)
    options |= dict(regFeatureSmoothingRadius=0, ssFeatureSmoothingRadius=0)
    options |= dict(gradientNormalizationRadius=4, selfsimilarityGridSize=5)
    options |= dict(numberOfTrees=1, numberOfTreesToEvaluate=1)
    middle = [y * 16 + x for y in (7, 8) for x in (7, 8)] * 20
    tree = dict(childs=[[2, 0, 0]], featureIds=[[3 * 256 + 8 * 16 + 8, 0, 0]])
    tree |= dict(thresholds=[[0.05, 0.0, 0.0]], edgeBins=[middle])
    tree |= dict(edgeBoundaries=[[0, 0, 0, len(middle)]])
    model = tmp_path / 'model.json'
    model.write_text(json.dumps(dict(options=options, **tree)))
    settings = ProposalSettings('edge_boxes', max_boxes=30, model=str(model))
    assert best_overlap(settings.finder()(rectangle(), 0)) > 0.7
    # Known by its content, wherever it lies.
    moved = tmp_path / 'moved.json'
    moved.write_bytes(model.read_bytes())
    assert ProposalSettings('edge_boxes', 30, str(moved)).record() == settings.record()
    assert len(settings.record()['model']) == 16
    # What is no model is an error at once, not the fault of each image.
    cv2.imwrite(str(tmp_path / '1.png'), rectangle())
    moved.write_text('nothing')
    with pytest.raises(ValueError, match=r'moved.json is not a structured forest'):
        find(tmp_path / 'out', tmp_path, ProposalSettings('edge_boxes', model=str(moved)))
    assert not (tmp_path / 'out.parts').exists()


@needs_contrib
@pytest.mark.parametrize('method', ['edge_boxes', 'selective_search'])
@pytest.mark.parametrize('size', [(1, 1), (300, 4), (64, 48)])
def test_small_and_even_images_are_no_trouble(method: str, size: tuple[int, int]) -> None:
    boxes = ProposalSettings(method).finder()(np.full((*size, 3), 99, np.uint8), 0)
    assert boxes.shape[1:] == (4,)
    assert method == 'selective_search' or not len(boxes)


@needs_contrib
def test_selective_search_as_the_image_is() -> None:
    assert best_overlap(ProposalSettings('selective_search', side=0).finder()(rectangle(), 0)) > 0.9


def test_gradient_edges_are_thin_and_directed() -> None:
    strength, across = gradient_edges(rectangle())
    assert strength.dtype == across.dtype == np.float32 and strength.max() == 1
    row, column = strength[95], strength[:, 140]
    assert {79, 80} & set(np.flatnonzero(row > 0.5)) and (row > 0.5).sum() <= 4
    assert {49, 50} & set(np.flatnonzero(column > 0.5)) and (column > 0.5).sum() <= 4
    assert np.minimum(across[95, 79:81], np.pi - across[95, 79:81]).max() < 1e-3
    assert np.allclose(across[49:51, 140], np.pi / 2, atol=1e-3)
    # A tenth of the contrast has the same edges; none has none.
    pale = gradient_edges((rectangle() / 10).astype(np.uint8))[0]
    assert ((pale > 0.5) == (strength > 0.5)).mean() > 0.99
    assert not gradient_edges(np.full((20, 30, 3), 7, np.uint8))[0].any()


def test_random_boxes_lie_in_the_image() -> None:
    finder = ProposalSettings('random', max_boxes=400).finder()
    boxes = finder(np.zeros((30, 50, 3), np.uint8), 1)
    sides = boxes[:, 2:] - boxes[:, :2]
    assert boxes.min() == 0 and boxes[:, 2].max() == 50 and boxes[:, 3].max() == 30
    # As UP-DETR draws them.
    assert sides.min(0).tolist() == [8, 8] and sides.max(0).tolist() == [42, 22]
    assert not np.array_equal(finder(np.zeros((30, 50, 3), np.uint8), 2), boxes)
    assert finder(np.zeros((16, 50, 3), np.uint8), 1).shape == (0, 4)


def test_all_images_and_those_unreadable(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    counts = find(out, folder)
    assert counts == (8, 35, {'3.png': 'the content is no image'}, 0, 0)
    proposals = Proposals(out)
    assert len(proposals) == 7 and proposals.find(folder / '3.png') is None
    for i in (0, 1):
        boxes = proposals.find(folder / (f'b/{i}.png' if i else '0.png'))
        assert boxes.shape == (5, 4) and (boxes[:, 2:] <= [60, 40 + i]).all()
    record = json.loads((out / 'settings.json').read_text())
    assert record['unreadable'] == counts.unreadable
    assert not out.with_name('out.parts').exists()
    # Finished proposals are left as they are, whatever else their record says.
    (out / 'settings.json').write_text(json.dumps({**record, 'chunk': 32}))
    before = contents(out)
    assert find(out, folder) == counts._replace(kept=8)
    assert contents(out) == before


@pytest.mark.slow
def test_processes_kills_and_shards_give_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find(tmp_path / 'one', folder)
    find(tmp_path / 'two', folder, workers=2)
    replace, calls = module.replace_file, []

    def killed(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        replace(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, 'replace_file', killed)
        with pytest.raises(KeyboardInterrupt):
            find(tmp_path / 'three', folder)
    parts = contents(tmp_path / 'three.parts')
    assert [*parts] == ['00000000.npy', '00000001.npy', 'settings.json']
    assert not (tmp_path / 'three').exists()
    assert find(tmp_path / 'three', folder).kept == 2
    for i in (3, 1, 2):
        counts = find(tmp_path / 'four', folder, shard=(i, 3))
        assert not (tmp_path / 'four').exists()
    assert counts.missing == 0 and counts.boxes == 15
    find(tmp_path / 'four', folder, merge=True)
    expected = contents(tmp_path / 'one')
    for name in ('two', 'three', 'four'):
        assert contents(tmp_path / name) == expected, name
        assert not (tmp_path / f'{name}.parts').exists()


def test_a_merge_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    with pytest.raises(FileNotFoundError, match=r'out.parts holds no parts to merge'):
        find(out, folder, merge=True)
    assert find(out, folder, shard=(2, 3)).missing == 5
    with pytest.raises(FileNotFoundError, match=r'5 of 8 images are missing, such as 0.png\. Run'):
        find(out, folder, merge=True)
    assert not out.exists()
    # A part that a broken disk cut off is named; removed, it is made anew.
    part = tmp_path / 'out.parts' / '00000001.npy'
    for size in (0, 40, part.stat().st_size - 9):
        part.write_bytes(part.read_bytes()[:size])
        with pytest.raises(ValueError, match=r'00000001.npy is damaged: remove it'):
            find(out, folder)
        part.unlink()
        find(out, folder, shard=(2, 3))
    assert find(out, folder).boxes == 35


def test_other_settings_are_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    other = ProposalSettings('random', max_boxes=4)
    find(out, folder, shard=(1, 2))
    with pytest.raises(FileExistsError, match=r'max_boxes is 5 there, 4 here\): go on'):
        find(out, folder, other)
    assert find(out, folder, other, overwrite=True).boxes == 28
    with pytest.raises(FileExistsError, match=r'max_boxes is 4 there, 5 here\): give another'):
        find(out, folder)
    assert find(out, folder, overwrite=True).boxes == 35
    # Another list of images.
    (folder / '0.png').rename(folder / '9.png')
    with pytest.raises(FileExistsError, match='list is '):
        find(out, folder)
    # What is not of this tool is neither replaced nor removed.
    with pytest.raises(FileExistsError, match='holds no proposals'):
        find(folder, folder, overwrite=True)
    (tmp_path / 'new.parts').mkdir()
    (tmp_path / 'new.parts' / 'notes.txt').touch()
    with pytest.raises(FileExistsError, match=r'new.parts is not empty and has no settings.json'):
        find(tmp_path / 'new', folder, overwrite=True)


def test_bad_arguments(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options, message in (
        (dict(method='grid'), 'grid.* is not one of edge_boxes, selective_search, random'),
        (dict(method='random', max_boxes=0), 'max_boxes is 0, but must be at least 1'),
        (dict(method='random', seed=-1), 'seed is -1'),
        (dict(method='selective_search', side=3), 'side is 3, but must be 0 or at least 8'),
        (dict(method='edge_boxes', min_area=0), 'min_area is 0'),
        (dict(method='random', model='x.yml'), 'random needs none'),
    ):
        with pytest.raises(ValueError, match=message):
            ProposalSettings(**options)
    with pytest.raises(FileNotFoundError, match=r'none.yml does not exist'):
        ProposalSettings('edge_boxes', model='none.yml')
    monkeypatch.delattr(cv2, 'ximgproc', raising=False)
    with pytest.raises(ModuleNotFoundError, match='pip install --no-deps -r requirements/prop'):
        ProposalSettings('selective_search')
    out = tmp_path / 'out'
    for options, message in (
        (dict(workers=0), 'workers is 0'),
        (dict(shard=(3, 2)), 'shard 3/2'),
    ):
        with pytest.raises(ValueError, match=message):
            find(out, folder, **options)
    listed = tmp_path / 'list.txt'
    listed.write_text('0.png\n./0.png\n')
    dataset = UnlabelledDataset(ann_file=str(listed), data_prefix=dict(img_path=str(folder)))
    with pytest.raises(ValueError, match=r'lists 0.png twice'):
        find_proposals(out, RANDOM, dataset)
    assert not out.exists() and not out.with_name('out.parts').exists()


def test_no_readable_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / '1.png').touch()
    with pytest.raises(ValueError, match=r'none of 1 images can be read.*the file is empty'):
        find(tmp_path / 'out', tmp_path / 'images')
    assert not (tmp_path / 'out').exists()
