"""BCCD in the repository: configs find it from a checkout, and its README counts what is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import mmcv
import numpy as np
import pytest
from mmengine.config import Config

from mmpixcon.datasets.data_files import check_data_files, iter_datasets
from mmpixcon.recipes import read_recipe
from mmpixcon.registry import DATASETS
from tests.helpers.configs import CONFIGS, ROOT, method_of

BCCD = 'examples/bccd'
PATHS = sorted(p for p in CONFIGS.rglob('*_bccd.py') if not {'recipes', '_base_'} & {*p.parts})
LISTS = ('train', 'val', 'test')


def steps_of(cfg: Config) -> list[dict]:
    """The steps of the training pipeline."""
    return [step for _, dataset in iter_datasets(cfg, 'train') for step in dataset.pipeline]


def proposals_of(cfg: Config) -> str | None:
    """The folder of proposals that a config reads, if it reads any."""
    sources = [step.source for step in steps_of(cfg) if 'source' in step]
    return next((one.path for one in sources if one.type.endswith('ProposalRegions')), None)


@pytest.fixture
def checkout(monkeypatch) -> Path:
    """The checkout as working directory."""
    monkeypatch.chdir(ROOT)
    return ROOT


def test_every_method_has_a_config():
    folders = {method_of(path) for path in PATHS}
    assert folders == {
        'barlow_twins', 'detco', 'detreg', 'dn_detr', 'finetune', 'moco', 'pixcon', 'plrc',
        'siamese_detr', 'stock', 'transfer', 'updetr', 'vicreg',
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize('path', PATHS, ids=lambda path: path.stem)
def test_config_finds_the_photos_from_a_checkout(path, checkout):
    cfg = Config.fromfile(path)
    check_data_files(cfg, LISTS)
    for stage in LISTS:
        for _, dataset in iter_datasets(cfg, stage):
            assert dataset.data_root == f'{BCCD}/'
            assert Path(BCCD, dataset.ann_file).is_file()
            assert [Path(BCCD, folder) for folder in dataset.data_prefix.values()] == [
                Path(BCCD, 'images')
            ]
        if cfg.get(f'{stage}_evaluator'):
            assert Path(cfg[f'{stage}_evaluator'].ann_file) == Path(BCCD, 'val.json')
    proposals = proposals_of(cfg)
    if proposals is not None:
        assert Path(proposals).parent == Path(BCCD, 'proposals')
        return
    np.random.seed(0)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(dataset) == 205
    assert Path(dataset.get_data_info(0)['img_path']).parent == Path(BCCD, 'images')
    assert {'inputs', 'data_samples'} <= set(dataset[0])


@pytest.mark.slow
def test_what_is_made_from_the_photos_has_its_command(checkout):
    readme = Path(BCCD, 'README.md').read_text(encoding='utf-8')
    told = Path('configs/_base_/datasets/regions_bccd.py').read_text(encoding='utf-8')
    named = {proposals_of(Config.fromfile(path)) for path in PATHS} - {None}
    assert len(named) == 2
    for text in (readme, told):
        commands = text.split('python tools/dataset_converters/make_proposals.py')[1:]
        made = {}
        for command in commands:
            out = re.search(r'--out (\S+)', command)[1]
            method = re.search(r'--method (\w+)', command.split('--out')[0])
            made[out] = method[1] if method else 'edge_boxes'
        assert made == {folder: Path(folder).name for folder in named}
    assert f'coco_subset.py {BCCD}/train.json' in readme
    ignored = Path('.gitignore').read_text(encoding='utf-8').splitlines()
    assert {'examples/*/proposals/', 'examples/*/subsets/'} <= set(ignored)


def test_the_recipe_finds_the_photos_from_a_checkout(checkout):
    recipe = read_recipe(CONFIGS / 'recipes' / 'compare_pretraining_bccd.py', {})
    assert Path(recipe.data['bccd']) == Path(BCCD)


def test_the_readme_counts_what_is_there(bccd_root):
    readme = (bccd_root / 'README.md').read_text(encoding='utf-8')
    rows = {
        cells[0].strip('` '): [int(cell) for cell in cells[1:]]
        for line in readme.splitlines()
        if (cells := [cell.strip() for cell in line.strip('|').split('|')])[-1].isdecimal()
    }
    (columns,) = re.findall(r'^\| *\| photos \| objects \| (.*) \|$', readme, re.MULTILINE)
    counted, photos = {}, []
    for name in LISTS:
        listed = json.loads((bccd_root / f'{name}.json').read_text())
        classes = {one['id']: one['name'] for one in listed['categories']}
        objects = Counter(classes[one['category_id']] for one in listed['annotations'])
        assert list(classes.values()) == columns.split(' | ')
        assert {one['image_id'] for one in listed['annotations']} == {
            one['id'] for one in listed['images']
        }
        assert {(one['width'], one['height']) for one in listed['images']} == {(640, 480)}
        photos += [one['file_name'] for one in listed['images']]
        counted[f'{name}.json'] = [
            len(listed['images']),
            len(listed['annotations']),
            *(objects[one] for one in classes.values()),
        ]
    counted['all'] = [sum(column) for column in zip(*counted.values())]
    assert rows == counted
    files = sorted((bccd_root / 'images').iterdir())
    # Each in one list.
    assert sorted(photos) == [path.name for path in files]
    assert len(files) == 364 and readme.startswith('# BCCD\n\n364 photos of blood cells, 640 x 480')
    assert mmcv.imread(files[0]).shape == (480, 640, 3)
    assert (
        (bccd_root / 'LICENSE').read_text().startswith('MIT License\n\nCopyright (c) 2017 shenggan')
    )


def test_nothing_refers_to_a_folder_beside_the_repository():
    is_checkout = ('git', 'rev-parse', '--is-inside-work-tree')
    if (
        not shutil.which('git')
        or subprocess.run(is_checkout, cwd=ROOT, capture_output=True).returncode
    ):
        pytest.skip('no git checkout')
    # Written so that they do not find themselves. The last one: documentation asks for no folder.
    beside = ['[.][.]/[s]hared', "parent / '[s]hared'", 'data/[b]ccd']
    beside += ['YOUR_[B]CCD|bccd=[B]CCD|data-root [B]CCD']
    command = ['git', 'grep', '-n', '-I', '-E', *(f'-e{one}' for one in beside)]
    actual = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=60)
    assert actual.returncode in (0, 1), actual.stderr
    assert actual.stdout == ''
