"""Reports of comparisons: tables, CSV, metafile.yml and pictures in one folder."""

from __future__ import annotations

import os
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from mmpixcon.utils.files import replace_file
from mmpixcon.visualization.curves import (
    draw_comparison,
    draw_convergence,
    draw_curves,
    draw_tradeoff,
    read_evaluations,
)

from .finished import FinishedRun, collect, unnamed_data
from .leaderboard import (
    Groups,
    as_csv,
    by_name,
    compared,
    known_collections,
    metafile,
    values_of,
)
from .metrics import display
from .recipe import Recipe
from .state import read_state, run_folder

# What is drawn of a pretraining, as logged.
COURSE = {
    'loss': 'loss',
    'spread of the features': 'feature_std',
    'effective rank of the embeddings': 'effective_rank',
}


def report(
    recipe: Recipe, work_dir: Path, without: Collection[tuple[str, int]] = ()
) -> tuple[str, list[Path]]:
    """The tables of a recipe that was run, and everything that is written of them.

    Args:
        recipe (Recipe): recipe with tables.
        work_dir (Path): work folder of its runs; the files go there.
        without (Collection[tuple[str, int]], optional): Stages and seeds that are left out,
            being of other settings; the text names them. Defaults to none.

    Returns:
        tuple[str, list[Path]]: Tables in Markdown, of rows that have a finished run, and the
        files: those of :func:`write_report`, and ``pretraining.png``, the losses and the features
        of the stages that others start from. Where nothing is compared yet, a line that says
        so and no files.

    Raises:
        ValueError: A run was not evaluated, or does not have a metric of a table.
    """
    minutes = _minutes(recipe, work_dir)
    minutes = {run: spent for run, spent in minutes.items() if run not in without}
    left_out = ', '.join(f'{name}, seed {seed}' for name, seed in without)
    notes = [f'Left out, being of other settings: {left_out}.'] if left_out else []
    tables = [t for t in recipe.tables if any(stage in t.stages for stage, _ in minutes)]
    if not tables:
        return '\n\n'.join(['No stage of the tables is finished yet.', *notes]), []
    runs = [
        run
        for run in collect([work_dir])
        if any(run.name in t.stages for t in tables) and (run.name, run.seed) not in without
    ]
    groups = by_name([replace(run, cost=_cost(recipe, run, minutes)) for run in runs])
    notes += unnamed_data(runs[0] for runs in groups.values())
    text = '\n\n'.join([*(compared(table, groups) for table in tables), *notes])
    metric = next(iter(tables[0].metrics.values()))
    written = write_report(work_dir, text, groups, metric, known_collections())
    return text, written + _pretraining(recipe, work_dir, list(minutes))


def write_report(
    out: Path,
    text: str,
    groups: Groups,
    metric: str,
    collections: Mapping[str, str] | None = None,
    paper: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Path]:
    """Write everything.

    Args:
        out (Path): Folder, made if it is missing.
        text (str): Tables in Markdown.
        groups (Groups): Runs by name.
        metric (str): metric to draw, as logged.
        collections (Mapping[str, str], optional): collection of each config, as in
            :func:`metafile`.
        paper (Mapping, optional): the paper's own numbers, as in :func:`metafile`.

    Returns:
        list[Path]: Files: ``results.md``, ``results.csv``, ``metafile.yml``, ``results.png``,
        and where there is something to draw ``convergence.png`` (the metric over training),
        ``labels.png`` (over the share of labels) and ``cost.png`` (over the minutes).
    """
    out.mkdir(parents=True, exist_ok=True)
    entries = metafile(groups, collections, paper)
    for model in entries['Models']:
        # As model-index reads it: from where the metafile is.
        model['Config'] = os.path.relpath(model['Config'], out)
    dumped = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)
    files = {'results.md': f'{text}\n', 'results.csv': as_csv(groups), 'metafile.yml': dumped}
    for name, content in files.items():
        replace_file(out / name, content.encode())
    written = [out / name for name in files]
    measured = {n: r for n, r in groups.items() if all(metric in run.metrics for run in r)}
    label = display(metric)[1]
    figures = {
        'results.png': draw_comparison(
            {name: values_of(runs, metric) for name, runs in measured.items()},
            f'{label}, a point a seed',
        )
    }
    courses = {name: _course(runs, metric) for name, runs in measured.items()}
    curves = {name: curve for name, curve in courses.items() if curve is not None}
    if curves:
        figures['convergence.png'] = draw_convergence(curves, 'iteration', label)
    # A run without a share of its own has all labels.
    shares = {
        name: [(run.percent or 100.0, v) for run, v in zip(runs, values_of(runs, metric))]
        for name, runs in measured.items()
    }
    if len({percent for points in shares.values() for percent, _ in points}) > 1:
        figures['labels.png'] = draw_tradeoff(_methods(shares), 'share of the labels, %', label)
    costs = {
        name: [
            (statistics.mean(run.cost or 0.0 for run in runs), v) for v in values_of(runs, metric)
        ]
        for name, runs in measured.items()
        if all(run.cost for run in runs)
    }
    if costs:
        figures['cost.png'] = draw_tradeoff(costs, 'minutes, pretraining included', label)
    for name, figure in figures.items():
        figure.savefig(out / name, dpi=120)
        written.append(out / name)
    return written


def _pretraining(recipe: Recipe, work_dir: Path, finished: Sequence[tuple[str, int]]) -> list[Path]:
    """Draw the course of trainings that others start from and that no table compares.

    The first seed of each is drawn, with losses on a logarithmic scale, for they are of different
    kinds.
    """
    sources = {source for stage in recipe.stages.values() for source in stage.sources}
    sources -= {name for table in recipe.tables for name in table.stages}
    first: dict[str, str | Path] = {}
    for name, seed in finished:
        if name in sources:
            first.setdefault(name, run_folder(work_dir, name, seed))
    if not first:
        return []
    figure = draw_curves(first, {title: [key] for title, key in COURSE.items()})
    figure.axes[0].set_yscale('log')
    path = work_dir / 'pretraining.png'
    figure.savefig(path, dpi=120)
    return [path]


def _minutes(recipe: Recipe, work_dir: Path) -> dict[tuple[str, int], float]:
    """Minutes of every finished run of a recipe, by stage and seed."""
    minutes = {}
    for name, stage in recipe.stages.items():
        for seed in stage.seeds:
            state = read_state(run_folder(work_dir, name, seed))
            if state is not None and state.finished:
                minutes[name, seed] = state.minutes
    return minutes


def _cost(
    recipe: Recipe, run: FinishedRun, minutes: Mapping[tuple[str, int], float]
) -> float | None:
    """Minutes of a run and of all runs that it starts from, each once."""
    needed: set[tuple[str, int]] = set()
    waiting = [(run.name, run.seed or 0)]
    while waiting:
        name, seed = waiting.pop()
        if (name, seed) not in needed:
            needed.add((name, seed))
            sources = recipe.stages[name].sources
            waiting += [(source, recipe.stages[source].seed_of(seed)) for source in sources]
    if any(source not in minutes for source in needed):
        return None
    return sum(minutes[source] for source in needed)


def _course(runs: Sequence[FinishedRun], metric: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Places and values of evaluations that all runs have; None where there is one only."""
    courses = []
    for run in runs:
        try:
            courses.append(read_evaluations(run.folder, metric, 'iteration'))
        except (FileNotFoundError, ValueError):
            return None
    factor = display(metric)[2]
    places = [p for p in courses[0] if all(p in course for course in courses)]
    if len(places) < 2:
        return None
    values = np.array([[factor * course[p] for p in places] for course in courses])
    return np.array(places), values


def _methods(
    shares: Mapping[str, list[tuple[float, float]]],
) -> dict[str, list[tuple[float, float]]]:
    """Points of names that differ in the share of labels only, under what they share."""
    joined: dict[str, list[tuple[float, float]]] = {}
    for name, points in shares.items():
        joined.setdefault(name.replace(f'{points[0][0]:g}%', '').strip(' ,'), []).extend(points)
    return joined
