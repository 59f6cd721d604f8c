"""Data of a config: moved and checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from mmpixcon.datasets.data_files import check_data_files, iter_datasets, set_data_root


def make() -> Config:
    """Wrappers, a concatenation, and metrics in every form that configs have."""
    leaf = {'ann_file': 'a.json', 'data_prefix': {'img': 'images/'}}
    return Config(
        {
            'train_dataloader': {
                'dataset': {
                    'type': 'RepeatDataset',
                    'dataset': {
                        'type': 'ConcatDataset',
                        'datasets': [
                            {**leaf, 'data_root': 'data/coco/'},
                            {**leaf, 'data_root': 'data/coco/extra'},
                        ],
                    },
                }
            },
            'val_dataloader': {'dataset': {**leaf, 'data_root': 'data/coco/'}},
            'test_dataloader': None,
            'val_evaluator': {'type': 'CocoMetric', 'ann_file': 'data/coco/annotations/v.json'},
            'test_evaluator': [
                {'ann_file': 'data/coco/extra/t.json'},
                {'ann_file': '/elsewhere/t.json'},
                {'type': 'NoFile'},
            ],
        }
    )


def test_data_sets_are_found_in_wrappers() -> None:
    assert [key for key, _ in iter_datasets(make(), 'train')] == [
        'train_dataloader.dataset.dataset.datasets.0',
        'train_dataloader.dataset.dataset.datasets.1',
    ]
    assert [key for key, _ in iter_datasets(make(), 'test')] == []


def test_everything_moves_to_the_new_root() -> None:
    cfg = make()
    set_data_root(cfg, '/new')
    roots = [
        dataset.data_root for stage in ('train', 'val') for _, dataset in iter_datasets(cfg, stage)
    ]
    assert roots == ['/new'] * 3
    assert cfg.val_evaluator.ann_file == '/new/annotations/v.json'
    assert cfg.test_evaluator[0].ann_file == '/new/t.json'
    assert cfg.test_evaluator[1].ann_file == '/elsewhere/t.json'


def test_proposals_move_along() -> None:
    source = {'type': 'mmpixcon.ProposalRegions', 'path': 'data/coco/proposals/edge_boxes'}
    elsewhere = {'type': 'ProposalRegions', 'path': '/elsewhere/proposals'}
    other = {'type': 'Other', 'path': 'data/coco/file'}
    pipeline = [{'type': 'SharedProposals', 'source': source}, elsewhere, other]
    dataset = {'data_root': 'data/coco/', 'pipeline': pipeline}
    cfg = Config({'train_dataloader': {'dataset': dataset}})
    set_data_root(cfg, '/new')
    moved = cfg.train_dataloader.dataset.pipeline
    assert moved[0].source.path == '/new/proposals/edge_boxes'
    assert moved[1].path == '/elsewhere/proposals'
    assert moved[2].path == 'data/coco/file'


def test_data_of_measuring_hooks_move_and_are_checked(tmp_path: Path) -> None:
    loader = {'dataset': {'data_root': 'data/coco/', 'ann_file': 'val.json'}}
    hooks = [{'type': 'Other', 'interval': 2}, {'type': 'Hook', 'images': loader, 'interval': 1}]
    cfg = Config({'train_dataloader': {'dataset': {}}, 'custom_hooks': hooks})
    set_data_root(cfg, str(tmp_path))
    assert cfg.custom_hooks[1].images.dataset.data_root == str(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'\(custom_hooks\.1\.images\.dataset\.ann_file'):
        check_data_files(cfg, ('train',))
    check_data_files(cfg, ('val',))


def test_missing_files_are_named_with_their_keys(tmp_path: Path) -> None:
    cfg = make()
    with pytest.raises(
        FileNotFoundError, match=r'data/coco/  \(val_dataloader\.dataset\.data_root\)'
    ):
        check_data_files(cfg, ('val',))
    set_data_root(cfg, str(tmp_path))
    with pytest.raises(FileNotFoundError) as caught:
        check_data_files(cfg, ('train', 'val'))
    message = str(caught.value)
    for part in (
        f'{tmp_path}/a.json  (train_dataloader.dataset.dataset.datasets.1.ann_file)',
        f'{tmp_path}/images/  (val_dataloader.dataset.data_prefix.img)',
        f'{tmp_path}/annotations/v.json  (val_evaluator.ann_file)',
        '--data-root DIR',
        'make_scenes.py',
    ):
        assert part in message
    (tmp_path / 'images').mkdir()
    (tmp_path / 'annotations').mkdir()
    for name in ('a.json', 'annotations/v.json'):
        (tmp_path / name).write_text('{}')
    check_data_files(cfg, ('train', 'val'))
