"""Subsets of COCO annotations."""

from __future__ import annotations

import json

import pytest

from mmpixcon.datasets.preparation.subsets import subset_of, write_subsets
from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool

TOOL = ROOT / 'tools' / 'dataset_converters' / 'coco_subset.py'
EXPECTED = [378, 728, 798, 1358]


def coco(count=200):
    return dict(
        info=dict(year=2026),
        categories=[dict(id=1, name='cell')],
        images=[dict(id=7 * i, file_name=f'{i}.jpg') for i in range(count)],
        annotations=[dict(id=i, image_id=7 * (i // 3), category_id=1) for i in range(3 * count)],
    )


def ids(subset):
    return [image['id'] for image in subset['images']]


def test_shares_nest_and_keep_every_annotation():
    data = coco()
    subsets = {p: subset_of(data, p, seed=1) for p in (1, 2, 5, 10, 100)}
    assert [len(ids(s)) for s in subsets.values()] == [2, 4, 10, 20, 200]
    for small, large in zip(list(subsets.values()), list(subsets.values())[1:]):
        assert set(ids(small)) < set(ids(large))
    for subset in subsets.values():
        assert len(subset['annotations']) == 3 * len(subset['images'])
        assert {a['image_id'] for a in subset['annotations']} == set(ids(subset))
        assert ids(subset) == sorted(ids(subset))
        assert subset['categories'] == data['categories'] and subset['info'] == data['info']
    assert subsets[100]['images'] == data['images']
    assert ids(subset_of(data, 0.01)) != [] and len(ids(subset_of(data, 0.01))) == 1


def test_the_same_everywhere_and_another_for_another_seed():
    # Written down once: must never change.
    assert ids(subset_of(coco(), 2, seed=0)) == EXPECTED
    shuffled = coco()
    shuffled['images'].reverse()
    assert sorted(ids(subset_of(shuffled, 2, seed=0))) == EXPECTED
    assert ids(subset_of(coco(), 2, seed=1)) != EXPECTED


def test_tool_writes_files_and_refuses_what_is_no_coco_file(tmp_path):
    path = tmp_path / 'instances.json'
    path.write_text(json.dumps(coco()))
    status, printed, error = run_tool(TOOL, path, '--percent', 1, 2.5, '--seeds', 0, 3)
    assert status == 0, error
    files = sorted(p.name for p in (tmp_path / 'subsets').iterdir())
    assert files == [f'instances_{p}percent_seed{s}.json' for p in ('1', '2.5') for s in (0, 3)]
    assert 'instances_2.5percent_seed3.json: 5 images, 15 annotations' in printed
    saved = json.loads((tmp_path / 'subsets' / 'instances_1percent_seed3.json').read_text())
    assert saved == subset_of(coco(), 1, seed=3)
    (tmp_path / 'list.json').write_text('[]')
    for name, text in (('none.json', 'does not exist'), ('list.json', 'has no "images"')):
        status, _, error = run_tool(TOOL, tmp_path / name)
        assert status == 1 and text in error and 'Traceback' not in error
    with pytest.raises(ValueError, match='percent = 101 must be above 0 and at most 100'):
        write_subsets(path, tmp_path, [101], [0])
    with pytest.raises(ValueError, match='list no images'):
        subset_of(dict(images=[]), 10)
