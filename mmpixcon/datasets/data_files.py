"""Places of the data of a config: moved by command line, checked before anything slow."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from mmpixcon.limits import check_annotation_size

MISSING_DATA_REMEDY = (
    'Put the data there, or say where they are: --data-root DIR, or --cfg-options '
    'train_dataloader.dataset.data_root=DIR (and val_, test_dataloader). The built-in scenes are '
    'written by tools/dataset_converters/make_scenes.py.'
)

STAGES = ('train', 'val', 'test')


def iter_datasets(cfg: Config, stage: str) -> Iterator[tuple[str, dict]]:
    """Iterate over the data set configs of a stage, inside wrappers as well.

    Args:
        cfg (Config): The whole config.
        stage (str): 'train', 'val' or 'test'.

    Yields:
        tuple[str, dict]: Config key and config of each data set that reads files.
    """
    loader = cfg.get(f'{stage}_dataloader') or {}
    if 'dataset' in loader:
        yield from _walk(f'{stage}_dataloader.dataset', loader['dataset'])


def annotation_file(dataset: Mapping[str, Any]) -> str:
    """Join the annotation file of a data set to its root.

    Args:
        dataset (Mapping): config of a data set.

    Returns:
        str: path; '' or the root where it has no annotation file.
    """
    return osp.join(dataset.get('data_root') or '', dataset.get('ann_file') or '')


def packs_rgb(cfg: Config) -> bool:
    """Return whether images are RGB before the preprocessor of the model sees them, as DetCo's.

    Args:
        cfg (Config): The whole config.

    Returns:
        bool: Whether the training packs its views so, whatever ``bgr_to_rgb`` says.
    """
    steps = [
        step for _, dataset in iter_datasets(cfg, 'train') for step in dataset.get('pipeline', [])
    ]
    return any(s['type'].split('.')[-1] == 'PackViews' and s.get('to_rgb') for s in steps)


def set_data_root(cfg: Config, root: str) -> None:
    """Move every data set, those of measuring hooks included, and the metrics' annotation files.

    Args:
        cfg (Config): Changed in place.
        root (str): Replaces ``data_root`` of every data set. A metric's
            ``ann_file`` and proposals below one of the old roots move along.
    """
    old_roots = set()
    for stage in STAGES:
        for _, dataset in iter_datasets(cfg, stage):
            old_roots.add(dataset.get('data_root') or '')
            dataset['data_root'] = root
    for _, dataset in _iter_measured(cfg):
        dataset['data_root'] = root
    # The longest root first: one may lie in another.
    ordered = sorted((old for old in old_roots if old), key=len, reverse=True)
    for stage in STAGES:
        holders = [(metric, 'ann_file') for _, metric in iter_metrics(cfg, stage)]
        for _, dataset in iter_datasets(cfg, stage):
            holders += [(source, 'path') for source in _iter_proposals(dataset.get('pipeline'))]
        for holder, key in holders:
            path = holder.get(key)
            old = next((old for old in ordered if path and _is_below(path, old)), None)
            if old is not None:
                holder[key] = osp.join(root, osp.relpath(str(path), old))


def check_data_files(cfg: Config, stages: tuple[str, ...]) -> None:
    """Check that the annotation files and image folders of a config exist.

    Args:
        cfg (Config): The whole config.
        stages (tuple[str]): stages that will run, of 'train', 'val' and 'test'.

    Raises:
        FileNotFoundError: Names each missing file, its config key and the remedy.
        ValueError: An annotation file is too large to be read.
    """
    missing = []
    annotations = []
    for stage in stages:
        datasets = list(iter_datasets(cfg, stage))
        if stage == 'train':
            datasets += _iter_measured(cfg)
        for key, dataset in datasets:
            root = dataset.get('data_root') or ''
            if _is_local(root) and root and not osp.isdir(root):
                missing.append((root, f'{key}.data_root'))
                continue
            paths = {'ann_file': dataset.get('ann_file')}
            prefixes = dataset.get('data_prefix') or {}
            paths.update({f'data_prefix.{name}': path for name, path in prefixes.items()})
            for name, path in paths.items():
                full = osp.join(root, path or '')
                if path and _is_local(full) and not osp.exists(full):
                    missing.append((full, f'{key}.{name}'))
                elif name == 'ann_file':
                    annotations.append(full)
        for key, metric in iter_metrics(cfg, stage):
            path = metric.get('ann_file')
            if path and _is_local(path) and not osp.exists(path):
                missing.append((path, f'{key}.ann_file'))
            annotations.append(str(path or ''))
    if missing:
        lines = '\n'.join(f'  {path}  ({key})' for path, key in missing)
        raise FileNotFoundError(f'Data of the config are missing:\n{lines}\n{MISSING_DATA_REMEDY}')
    for path in annotations:
        # Others, such as lists of names, are read line by line.
        if path.endswith('.json') and _is_local(path):
            check_annotation_size(path)


def _walk(key: str, dataset: Any) -> Iterator[tuple[str, dict]]:
    """Walk through wrappers (``dataset``) and concatenations (``datasets``)."""
    if not isinstance(dataset, dict):
        return
    if isinstance(dataset.get('dataset'), dict):
        yield from _walk(f'{key}.dataset', dataset['dataset'])
    elif isinstance(dataset.get('datasets'), (list, tuple)):
        for index, part in enumerate(dataset['datasets']):
            yield from _walk(f'{key}.datasets.{index}', part)
    else:
        yield key, dataset


def _iter_measured(cfg: Config) -> Iterator[tuple[str, dict]]:
    """Iterate over the data sets of hooks that measure while training."""
    for index, hook in enumerate(cfg.get('custom_hooks') or ()):
        for name, value in hook.items():
            if isinstance(value, dict) and 'dataset' in value:
                yield from _walk(f'custom_hooks.{index}.{name}.dataset', value['dataset'])


def iter_metrics(cfg: Config, stage: str) -> Iterator[tuple[str, dict]]:
    """Iterate over the metrics of a stage, a single one or several.

    Args:
        cfg (Config): whole config.
        stage (str): 'train', 'val' or 'test'.

    Yields:
        tuple[str, dict]: Config key and config of each metric.
    """
    metrics = cfg.get(f'{stage}_evaluator') or {}
    key = f'{stage}_evaluator'
    if isinstance(metrics, dict) and 'metrics' in metrics:
        metrics, key = metrics['metrics'], f'{key}.metrics'
    if isinstance(metrics, dict):
        yield key, metrics
    else:
        for index, metric in enumerate(metrics):
            yield f'{key}.{index}', metric


def _iter_proposals(pipeline: Any) -> Iterator[dict]:
    """Iterate over what reads proposals from files in a pipeline, at any depth."""
    if isinstance(pipeline, dict):
        if str(pipeline.get('type')).endswith('ProposalRegions'):
            yield pipeline
        pipeline = pipeline.values()
    elif not isinstance(pipeline, (list, tuple)):
        return
    for part in pipeline:
        yield from _iter_proposals(part)


def _is_below(path: str, folder: str) -> bool:
    """Return whether a path lies in a folder, as written in a config."""
    path, folder = osp.normpath(path), osp.normpath(folder)
    return path == folder or path.startswith(folder.rstrip(osp.sep) + osp.sep)


def _is_local(path: str) -> bool:
    """Return whether a path is on this machine's file system, not behind a URL."""
    return '://' not in path and not path.startswith(('s3:', 'petrel:'))
