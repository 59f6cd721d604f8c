"""Means and deviations over seeds: as a table, as metafile entries, as CSV."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mmpixcon.utils.tables import markdown_table

from .finished import FinishedRun
from .metrics import display
from .papers import read_models
from .recipe import Table

Groups = Mapping[str, Sequence[FinishedRun]]


def by_name(runs: Sequence[FinishedRun]) -> dict[str, list[FinishedRun]]:
    """Runs of all seeds together.

    Raises:
        ValueError: Two runs of one name have the same seed.
    """
    groups: dict[str, list[FinishedRun]] = {}
    for run in runs:
        group = groups.setdefault(run.name, [])
        twin = next((other for other in group if other.seed == run.seed), None)
        if twin is not None:
            raise ValueError(
                f'{run.folder} and {twin.folder} are both {run.name} with seed {run.seed}: name '
                'one of the folders only'
            )
        group.append(run)
    return groups


def mean_and_deviation(values: Sequence[float]) -> str:
    """``MEAN ± DEVIATION`` (n - 1) with one digit; of one value the value."""
    if len(values) == 1:
        return f'{values[0]:.1f}'
    return f'{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}'


def values_of(runs: Sequence[FinishedRun], metric: str) -> list[float]:
    """A metric of runs, as a leaderboard scales it.

    Raises:
        ValueError: A run does not have it; names those that it has.
    """
    for run in runs:
        if metric not in run.metrics:
            raise ValueError(
                f'{run.folder} ({run.name}) has no metric {metric!r}; it has '
                f'{", ".join(run.metrics)}'
            )
    factor = display(metric)[2]
    return [factor * run.metrics[metric] for run in runs]


def read_paper(
    path: Path, groups: Groups, metrics: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """The paper's own numbers out of a YAML file, ``RUN: {NAME: VALUE}``.

    Args:
        path (Path): file to write.
        groups (Groups): Runs by name.
        metrics (Mapping[str, str]): Names in the table, and in the log.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has another form, or names a run or metric that the table does not have.
    """
    if not path.is_file():
        raise FileNotFoundError(f'--paper {path} does not exist')
    try:
        numbers = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f'--paper {path} is not a YAML file: {error}') from error
    is_valid = isinstance(numbers, dict) and all(
        isinstance(by, dict) and all(isinstance(v, (int, float)) for v in by.values())
        for by in numbers.values()
    )
    if not is_valid:
        raise ValueError(f'--paper {path} must have lines RUN: {{NAME: VALUE}}, values as numbers')
    for run, by in numbers.items():
        for name, among in ((run, groups), *((metric, metrics) for metric in by)):
            if name not in among:
                raise ValueError(f'--paper {path} has {name!r}; there are {", ".join(among)}')
    return numbers


def markdown(
    groups: Groups,
    metrics: Mapping[str, str],
    baseline: str | None = None,
    paper: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """A table with a row a name.

    Args:
        groups (Groups): Runs by name.
        metrics (Mapping[str, str]): Names in the table, and in the log.
        baseline (str, optional): The row that the first metric is compared to. Defaults to None.
        paper (Mapping, optional): The paper's own numbers, by name and metric of the
            table; they get rows of their own, marked.

    Returns:
        str: Markdown.

    Raises:
        ValueError: A run does not have a metric, or there is no such baseline.
    """
    if baseline is not None and baseline not in groups:
        raise ValueError(f'no run is named {baseline!r}; there are {", ".join(groups)}')
    first = next(iter(metrics.items()))
    columns = [*metrics, *([f'{first[0]} to {baseline}'] if baseline else []), 'seeds']
    rows = []
    for name, runs in groups.items():
        cells = [mean_and_deviation(values_of(runs, metric)) for metric in metrics.values()]
        if baseline:
            means = [statistics.mean(values_of(r, first[1])) for r in (runs, groups[baseline])]
            cells.append(f'{means[0] - means[1]:+.1f}')
        rows.append([name, *cells, len(runs)])
        numbers = (paper or {}).get(name)
        if numbers:
            cells = [f'{numbers[m]:.1f}' if m in numbers else '' for m in metrics]
            rows.append([f'{name} (paper)', *cells, *([''] if baseline else []), ''])
    return markdown_table(['run', *columns], rows)


def compared(table: Table, groups: Groups) -> str:
    """A recipe's table: a row a method, columns of its own, differences to the first row.

    Args:
        table (Table): table of a recipe.
        groups (Groups): Runs by stage.

    Returns:
        str: Markdown. Rows without a run are left out, with the paper's; cells without one are
        empty.

    Raises:
        ValueError: A run does not have a metric.
    """
    heads, first = ['run'], next(iter(table.metrics))
    for column in table.columns:
        names = [*table.metrics, f'{first} to first']
        heads += [f'{column} {name}'.strip() for name in names]
    rows = []
    base = next(iter(table.rows.values()))
    for row, stages in table.rows.items():
        cells = []
        for column in table.columns:
            runs = groups.get(stages.get(column, ''))
            if not runs:
                cells += [''] * (len(table.metrics) + 1)
                continue
            cells += [mean_and_deviation(values_of(runs, m)) for m in table.metrics.values()]
            other = groups.get(base.get(column, ''))
            means = [
                statistics.mean(values_of(r, table.metrics[first])) for r in (runs, other or runs)
            ]
            cells.append(f'{means[0] - means[1]:+.1f}' if other else '')
        if not any(cells):
            continue
        rows.append([row, *cells])
        numbers = table.paper.get(row)
        if numbers:
            cells = [
                f'{numbers[column][name]:.1f}' if name in numbers.get(column, {}) else ''
                for column in table.columns
                for name in (*table.metrics, 'difference')
            ]
            rows.append([f'{row} (paper)', *cells])
    return f'**{table.title}**\n\n{markdown_table(heads, rows)}'


def as_csv(groups: Groups) -> str:
    """Every run with all of its metrics, a line a run."""
    names = dict.fromkeys(
        metric for runs in groups.values() for run in runs for metric in run.metrics
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    writer.writerow(['run', 'seed', 'percent', 'minutes', 'seconds a step', *names, 'work_dir'])
    for name, runs in groups.items():
        for run in runs:
            numbers = [run.metrics.get(metric, '') for metric in names]
            cells = [name, run.seed, run.percent, run.minutes, run.seconds]
            writer.writerow([*('' if v is None else v for v in cells), *numbers, run.folder])
    return out.getvalue()


def metafile(
    groups: Groups,
    collections: Mapping[str, str] | None = None,
    paper: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Entries as in mmdet's ``metafile.yml``, the format of the model-index package.

    Args:
        groups (Groups): Runs by name.
        collections (Mapping[str, str], optional): Collection of each config, by its file's
            name without ``.py``; the model's type where it is not listed.
        paper (Mapping, optional): the paper's own numbers, as in :func:`markdown`; their metrics
            are marked "(paper)".

    Returns:
        dict: ``Collections`` and ``Models``.
    """
    models = []
    for name, runs in groups.items():
        config = runs[0].config
        kind = runs[0].cfg.model.type.split('.')[-1]
        entry: dict[str, Any] = {
            'Name': name,
            'In Collection': (collections or {}).get(config.stem, kind),
            'Config': str(config),
        }
        entry['Metadata'] = {k: v for k, v in _metadata(runs).items() if v is not None}
        tasks: dict[str, dict[str, float]] = {}
        for metric in runs[0].metrics:
            if not all(metric in run.metrics for run in runs):
                continue
            task, label, _ = display(metric)
            values = values_of(runs, metric)
            metrics = tasks.setdefault(task, {})
            metrics[label] = round(statistics.mean(values), 2)
            if len(values) > 1:
                metrics[f'{label} deviation'] = round(statistics.stdev(values), 2)
        for label, number in ((paper or {}).get(name) or {}).items():
            next(iter(tasks.values()))[f'{label} (paper)'] = number
        entry['Results'] = [
            {'Task': task, 'Dataset': runs[0].dataset, 'Metrics': metrics}
            for task, metrics in tasks.items()
        ]
        models.append(entry)
    names = dict.fromkeys(model['In Collection'] for model in models)
    return {'Collections': [{'Name': name} for name in names], 'Models': models}


def _metadata(runs: Sequence[FinishedRun]) -> dict[str, Any]:
    """Give what mmdet's metafiles tell of a training."""
    run = runs[0]
    loop = run.cfg.get('train_cfg') or {}
    loader = run.cfg.get('train_dataloader') or {}
    memory = [r.memory for r in runs if r.memory]
    minutes = [r.minutes for r in runs if r.minutes]
    seconds = [r.seconds for r in runs if r.seconds]
    return {
        'Epochs': loop.get('max_epochs'),
        'Iterations': loop.get('max_iters'),
        'Batch Size': loader.get('batch_size'),
        'Share of labels (%)': run.percent,
        'Training Memory (GB)': round(max(memory), 1) if memory else None,
        'Seconds a step': round(statistics.median(seconds), 3) if seconds else None,
        'Minutes': round(statistics.mean(minutes), 1) if minutes else None,
        'Seeds': len(runs),
    }


def known_collections() -> dict[str, str]:
    """Methods of the shipped configs, by the names of their files."""
    return {Path(m['Config']).stem: m['In Collection'] for m in read_models(methods_only=True)}


def check_metafile(path: Path) -> list[str]:
    """Give the model-index package's complaints; none where it is not installed."""
    try:
        from modelindex.load_model_index import load
    except ImportError:
        return []
    return load(str(path)).check(silent=True)
