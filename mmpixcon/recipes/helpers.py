"""Helpers to write recipes: trainings that go on from others, and the rows of their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def pretrain_then(
    starts: Mapping[str, Mapping[str, Any]], tasks: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Stages of every task from every start, named ``START, TASK``.

    Args:
        starts (Mapping[str, Mapping]): Keys of a stage that say where a training starts, such as
            ``{'DetCo': dict(init=dict(load_from='DetCo'))}``.
        tasks (Mapping[str, Mapping]): Stages that do not say it yet. Their options come before
            those of the start.

    Returns:
        dict[str, dict]: For ``stages`` of a recipe, start by start.
    """
    stages = {}
    for start, begin in starts.items():
        for task, stage in tasks.items():
            options = {**stage.get('options', {}), **begin.get('options', {})}
            stages[f'{start}, {task}'] = {**stage, **begin, 'options': options}
    return stages


def rows_of(starts: Iterable[str], tasks: str | Iterable[str]) -> dict[str, dict[str, str]]:
    """Rows of a table of stages that :func:`pretrain_then` names.

    Args:
        starts (Iterable[str]): A row each.
        tasks (str | Iterable[str]): A column each; of one task that is given as a string, a
            column without a name.

    Returns:
        dict[str, dict[str, str]]: For ``rows`` of a table.
    """
    if isinstance(tasks, str):
        return {start: {'': f'{start}, {tasks}'} for start in starts}
    columns = tuple(tasks)
    return {start: {task: f'{start}, {task}' for task in columns} for start in starts}


def epoch_options(epochs: int, decay: int, evaluations: int = 4) -> dict[str, Any]:
    """Options of a training of another length, for a config with a MultiStepLR.

    Args:
        epochs (int): Length of the training.
        decay (int): Epoch after which the learning rate drops.
        evaluations (int): Number of evaluations, at even distances. Defaults to 4.

    Returns:
        dict[str, Any]: For ``options`` of a stage.

    Raises:
        ValueError: If the epochs cannot be divided so, or the rate would never drop.
    """
    if evaluations < 1 or epochs % evaluations:
        raise ValueError(f'{epochs} epochs cannot have {evaluations} evaluations at even distances')
    if not 0 < decay < epochs:
        raise ValueError(f'decay must be an epoch within the {epochs} of the training, not {decay}')
    return {
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': epochs // evaluations,
        'param_scheduler.MultiStepLR.end': epochs,
        'param_scheduler.MultiStepLR.milestones': [decay],
    }
