"""Configs of a training on one's own data, made of shipped ones and written down whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmpixcon.apis.config import average_weights, drop_unread, merge_options, stop_at_plateau
from mmpixcon.recipes.recipe import read_config
from mmpixcon.utils.files import replace_file

from .choices import DetectorChoice, MethodChoice, config_path
from .data import FitData
from .plans import Plan

METRIC = 'coco/bbox_mAP'
# Of ImageNet-like pretraining, a backbone is less than half of a detector.
PRETRAINED = dict(type='Pretrained', checkpoint='PRETRAINED.pth', prefix='backbone.')
# Share of the steps at which the rate falls to a tenth.
MILESTONE = 0.8
WARM_UP = 20


def detector_config(
    detector: DetectorChoice,
    method: MethodChoice,
    data: FitData,
    plan: Plan,
    ema: bool = False,
    patience: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Config:
    """Make the config that trains a detector.

    Args:
        detector (DetectorChoice): detector.
        method (MethodChoice): method, which may stand beside the training or before it.
        data (FitData): data.
        plan (Plan): lengths and sizes.
        ema (bool): whether the average of the weights is what is evaluated and saved. Defaults to
            False.
        patience (int, optional): evaluations without a better AP after which the training stops.
            Defaults to None, never.
        options (Mapping[str, Any], optional): settings of the user, by dotted keys. Defaults to
            none.

    Returns:
        Config: config of a run, with nothing in it that no run reads.
    """
    name = detector.pixcon if method.kind == 'beside' else detector.config
    if method.kind == 'region':
        name = detector.fine_tuned
    cfg = read_config(Path(f'{name}.py') if detector.is_own else config_path(name))
    use_data(cfg, data)
    if plan.has_scale or not detector.is_own:
        use_scale(cfg, plan.scale)
    use_length(cfg, plan)
    if method.kind == 'backbone':
        model = cfg.model.get('detector', cfg.model)
        model.backbone.init_cfg = PRETRAINED
    hooks = list(cfg.get('custom_hooks') or ())
    # What tools/train.py adds to any config, which recipes and mim train see from the beginning.
    names = {str(hook['type']).rsplit('.', 1)[-1] for hook in hooks}
    for hook in ('PlainCheckpointHook', 'FiniteLossHook'):
        if hook not in names:
            hooks.append(dict(type=f'mmpixcon.{hook}'))
    cfg.custom_hooks = hooks
    if ema:
        average_weights(cfg)
    if patience is not None:
        stop_at_plateau(cfg, patience)
    cfg.custom_imports = dict(imports=['mmpixcon'], allow_failed_imports=False)
    merge_options(cfg, options or {})
    drop_unread(cfg)
    return cfg


def pretraining_config(
    detector: DetectorChoice, method: MethodChoice, data: FitData, plan: Plan, proposals: Path
) -> Config:
    """Make the config that pretrains on photos without labels.

    Args:
        detector (DetectorChoice): detector that goes on from it.
        method (MethodChoice): method of kind 'backbone' or 'region'.
        data (FitData): data, with the unlabeled photos.
        plan (Plan): lengths and sizes.
        proposals (Path): folder of the object proposals, for a method that needs them.

    Returns:
        Config: config of a run.
    """
    place = detector.region if method.kind == 'region' else detector.backbone
    cfg = read_config(config_path(method.config.format(place)))
    loader = cfg.train_dataloader
    if data.unlabelled is None:
        loader.dataset.update(
            data_root='',
            ann_file=str(data.train),
            data_prefix=dict(img_path=f'{data.train_images}/'),
        )
    else:
        loader.dataset.update(
            data_root=f'{data.unlabelled}/', ann_file='', data_prefix=dict(img_path='')
        )
    loader.update(num_workers=plan.workers, persistent_workers=plan.workers > 0)
    batch = plan.batch_size if method.kind == 'region' else plan.pretraining_batch
    loader.batch_size = min(batch, data.num_unlabelled)
    use_scale(cfg, plan.scale)
    epochs = plan.pretraining_epochs
    if method.kind == 'region':
        # As many photos as the backbones' methods, in smaller batches.
        for node in _nodes(cfg.train_dataloader):
            if node.get('type') == 'ProposalRegions':
                node['path'] = str(proposals)
    before = cfg.train_cfg.max_epochs
    cfg.train_cfg.max_epochs = epochs
    for scheduler in cfg.param_scheduler:
        if scheduler.by_epoch:
            _stretch(scheduler, epochs / before)
    if 'warmup_epochs' in cfg.model:
        cfg.model.warmup_epochs = round(cfg.model.warmup_epochs * epochs / before)
    cfg.default_hooks.checkpoint.interval = max(epochs // 10, 1)
    cfg.dataset_name = str(data.unlabelled or data.train.parent.parent.name)
    drop_unread(cfg)
    return cfg


def use_data(cfg: Config, data: FitData) -> None:
    """Put data into the config of a detector: files, classes, and heads of as many.

    Args:
        cfg (Config): config, changed in place.
        data (FitData): data.
    """
    parts = dict(
        train=(data.train, data.train_images),
        val=(data.val, data.val_images),
        test=(data.val, data.val_images),
    )
    for stage, (path, images) in parts.items():
        dataset = cfg[f'{stage}_dataloader'].dataset
        # Wrappers such as RepeatDataset have the data set inside.
        while 'dataset' in dataset:
            dataset = dataset.dataset
        dataset.update(
            data_root='',
            ann_file=str(path),
            data_prefix=dict(img=f'{images}/'),
            metainfo=dict(classes=data.classes),
        )
    for key in ('val_evaluator', 'test_evaluator'):
        for evaluator in cfg[key] if isinstance(cfg[key], list) else [cfg[key]]:
            if 'ann_file' in evaluator:
                evaluator.ann_file = str(data.val)
    for node in _nodes(cfg.model):
        if 'num_classes' in node:
            node['num_classes'] = len(data.classes)
    model = cfg.model.get('detector', cfg.model)
    limit = model.get('num_queries', 0) * len(data.classes)
    test_cfg = model.get('test_cfg') or {}
    # DETRs take the best of queries x classes.
    if 0 < limit < test_cfg.get('max_per_img', 0):
        test_cfg['max_per_img'] = limit
    cfg.dataset_name = data.train.parent.parent.name


def use_scale(cfg: Config, scale: tuple[int, int]) -> None:
    """Resize photos to fit into a size, in training and test, in every view.

    Args:
        cfg (Config): config, changed in place.
        scale (tuple[int, int]): width and height.
    """
    for stage in ('train', 'val', 'test'):
        for node in _nodes(cfg.get(f'{stage}_dataloader') or {}):
            kind = str(node.get('type')).rsplit('.', 1)[-1]
            if kind in ('Resize', 'MomentumView') and 'scale' in node:
                node['scale'] = tuple(scale)
            elif kind == 'RandomChoiceResize' and 'scales' in node:
                node['scales'] = [tuple(scale)]


def use_length(cfg: Config, plan: Plan) -> None:
    """Train by iterations, and keep the best checkpoint.

    Args:
        cfg (Config): config of a detector, changed in place.
        plan (Plan): lengths and sizes.
    """
    loader = cfg.train_dataloader
    loader.update(
        batch_size=plan.batch_size,
        num_workers=plan.workers,
        persistent_workers=plan.workers > 0,
        sampler=dict(type='InfiniteSampler', shuffle=True),
    )
    for key in ('val_dataloader', 'test_dataloader'):
        cfg[key].update(num_workers=plan.workers, persistent_workers=plan.workers > 0)
    cfg.train_cfg = dict(
        type='mmpixcon.ResumableIterBasedTrainLoop',
        max_iters=plan.iterations,
        val_interval=plan.val_interval,
    )
    cfg.param_scheduler = [
        dict(
            type='LinearLR',
            start_factor=0.1,
            by_epoch=False,
            begin=0,
            end=min(WARM_UP, plan.iterations),
        ),
        dict(
            type='MultiStepLR',
            by_epoch=False,
            begin=0,
            end=plan.iterations,
            milestones=[max(int(plan.iterations * MILESTONE), 1)],
            gamma=0.1,
        ),
    ]
    rate = cfg.optim_wrapper.optimizer.lr * plan.lr_scale
    cfg.optim_wrapper.optimizer.lr = rate if plan.lr is None else plan.lr
    cfg.default_hooks = dict(
        cfg.get('default_hooks') or {},
        checkpoint=dict(
            type='CheckpointHook',
            by_epoch=False,
            interval=plan.val_interval,
            max_keep_ckpts=1,
            save_best=METRIC,
            rule='greater',
        ),
        logger=dict(type='LoggerHook', interval=max(plan.iterations // 20, 1)),
    )
    cfg.log_processor = dict(type='LogProcessor', window_size=20, by_epoch=False)
    cfg.pop('auto_scale_lr', None)


def write_config(cfg: Config, path: Path, about: str) -> Path:
    """Write a config whole, with a line that says what it is.

    Args:
        cfg (Config): config.
        path (Path): file; its folder is made if it is missing.
        about (str): first line, a comment.

    Returns:
        Path: ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, f'# {about}\n{cfg.pretty_text}'.encode())
    return path


def slug(name: str) -> str:
    """Make a file name of a name."""
    return re.sub(r'[^\w.+-]+', '_', name)


def _stretch(scheduler: dict[str, Any], factor: float) -> None:
    """Let a scheduler end sooner or later."""
    scale: Callable[[float], int] = lambda epoch: max(round(epoch * factor), 1)
    for key in ('end', 'T_max'):
        if key in scheduler:
            scheduler[key] = scale(scheduler[key])
    if 'milestones' in scheduler:
        scheduler['milestones'] = [scale(epoch) for epoch in scheduler['milestones']]


def _nodes(part: Any) -> Iterator[dict[str, Any]]:
    """Walk over all dictionaries of a config."""
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from _nodes(value)
    elif isinstance(part, (list, tuple)):
        for value in part:
            yield from _nodes(value)
