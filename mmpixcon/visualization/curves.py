"""Curves of one or several runs, from the logs that mmengine writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def _logged(work_dir: str | Path) -> Iterator[dict]:
    """Every record of a work folder as it was written, resumed runs in order.

    Raises:
        FileNotFoundError: The folder has no logs.
        ValueError: A line is no record, other than the last, which a killed run cuts off.
    """
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'{work_dir} has no */vis_data/scalars.json: was it trained?')
    for log in logs:
        lines = log.read_text().splitlines()
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                if number < len(lines):
                    raise ValueError(f'{log}, line {number} is not a record of scalars') from None


def read_scalars(work_dir: str | Path) -> list[dict]:
    """Every logged record of a work folder, resumed runs in order.

    Args:
        work_dir (str | Path): Has ``TIME/vis_data/scalars.json`` files.

    Returns:
        list[dict]: Records with ``step`` and scalars; of a step that was
        trained twice (before and after resuming) the later one.

    Raises:
        FileNotFoundError: The folder has no logs.
        ValueError: A log is damaged.
    """
    records: dict[tuple[str, int], dict] = {}
    for record in _logged(work_dir):
        kind = 'train' if 'loss' in record else 'val'
        # Several hooks may have measured after the same step.
        key = kind, record['step']
        records[key] = records.get(key, {}) | record
    return [records[key] for key in sorted(records)]


def read_evaluations(work_dir: str | Path, metric: str, unit: str) -> dict[int, float]:
    """A metric over the course of a run, finished or not.

    mmengine counts evaluations in epochs, and those of a loop by iterations all as 0:
    each is put where the last training record before it is, in iterations exact to the
    interval of logging.

    Args:
        work_dir (str | Path): Has ``TIME/vis_data/scalars.json`` files.
        metric (str): name of the metric there, such as ``coco/bbox_mAP``.
        unit (str): 'epoch' or 'iteration'.

    Returns:
        dict[int, float]: Values by epoch or iteration, in order; of what was evaluated twice
        (before and after resuming) the later one.

    Raises:
        FileNotFoundError: The folder has no logs.
        ValueError: A log is damaged, the metric is not there, or the run has no epochs.
    """
    place, values, names = {'epoch': 0, 'step': 0}, {}, set()
    for record in _logged(work_dir):
        if 'loss' in record:
            place = record
        elif metric not in record:
            names |= {name for name in record if '/' in name}
        elif unit == 'epoch' and 'epoch' not in place:
            raise ValueError(f'{work_dir} was trained by iterations and has no epochs')
        else:
            values[place['epoch' if unit == 'epoch' else 'step']] = record[metric]
    if not values:
        hint = f'there are {", ".join(sorted(names))}' if names else 'it was not evaluated yet'
        raise ValueError(f'{work_dir} has no {metric}; {hint}')
    return dict(sorted(values.items()))


def draw_curves(
    runs: dict[str, str | Path], names: dict[str, list[str]], smooth: int = 5
) -> Figure:
    """Draw scalars over iterations, a panel a title, a line a run.

    Args:
        runs (dict[str, str | Path]): Work folder of each run, by its label.
        names (dict[str, list[str]]): For each panel's title the scalars that
            are added up; a run without any of them is left out, and a panel without runs.
        smooth (int): Records in the moving average. Defaults to 5.

    Returns:
        Figure: To be saved with ``savefig``.
    """
    panel_curves: dict[str, dict[str, Any]] = {title: {} for title in names}
    for label, work_dir in runs.items():
        logged = read_scalars(work_dir)
        for title, scalars in names.items():
            if records := [r for r in logged if any(name in r for name in scalars)]:
                panel_curves[title][label] = records
    panel_curves = {title: by_label for title, by_label in panel_curves.items() if by_label}
    figure = Figure(figsize=(5 * max(len(panel_curves), 1), 4), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, max(len(panel_curves), 1), squeeze=False)[0]
    for axes, (title, by_label) in zip(panels, panel_curves.items()):
        scalars = names[title]
        for label, records in by_label.items():
            values = np.array([sum(r.get(name, 0.0) for name in scalars) for r in records])
            window = max(1, min(smooth, len(values)))
            mean = np.convolve(values, np.ones(window) / window, mode='valid')
            axes.plot([r['step'] for r in records][window - 1 :], mean, label=label)
        axes.set(title=title, xlabel='iteration')
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def draw_comparison(results: dict[str, list[float]], label: str) -> Figure:
    """Draw the runs of several models: a bar the mean, a line its deviation, a point a seed.

    Args:
        results (dict[str, list[float]]): Values of each model's runs.
        label (str): What they are, at the axis.

    Returns:
        Figure: To be saved with ``savefig``.
    """
    figure = Figure(figsize=(7, 0.6 + 0.45 * len(results)), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    rows = np.arange(len(results))
    means = [np.mean(values) for values in results.values()]
    spreads = [np.std(values, ddof=1) if len(values) > 1 else 0.0 for values in results.values()]
    axes.barh(rows, means, xerr=spreads, capsize=3, ecolor='gray', color='lightsteelblue')
    for row, values in zip(rows, results.values()):
        axes.plot(values, np.full(len(values), row), 'o', color='midnightblue', markersize=4)
    axes.set_yticks(rows, list(results))
    axes.invert_yaxis()
    axes.set_xlabel(label)
    return figure


def draw_convergence(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]], xlabel: str, ylabel: str
) -> Figure:
    """Draw the means of several runs each over training, and bands of one deviation.

    Args:
        curves (Mapping[str, tuple[np.ndarray, np.ndarray]]): places (n, ) and values (runs, n) by
            label.
        xlabel (str): Unit of the places.
        ylabel (str): The metric.

    Returns:
        Figure: To be saved with ``savefig``.
    """
    figure = Figure(figsize=(6, 4.5), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for label, (places, values) in curves.items():
        mean = values.mean(0)
        (line,) = axes.plot(places, mean, marker='o', markersize=3, label=label)
        if len(values) > 1:
            spread = values.std(0, ddof=1)
            color = line.get_color()
            axes.fill_between(
                places, mean - spread, mean + spread, color=color, alpha=0.2, linewidth=0
            )
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def draw_tradeoff(
    points: Mapping[str, Sequence[tuple[float, float]]], xlabel: str, ylabel: str
) -> Figure:
    """Draw what something is worth: means by their place, and a point a run.

    Args:
        points (Mapping[str, Sequence[tuple[float, float]]]): place and value of each run, by label.
        xlabel (str): What the places are.
        ylabel (str): The metric.

    Returns:
        Figure: To be saved with ``savefig``.
    """
    figure = Figure(figsize=(6, 4.5), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for label, runs in points.items():
        by_place: dict[float, list[float]] = {}
        for place, value in sorted(runs):
            by_place.setdefault(place, []).append(value)
        means = [np.mean(values) for values in by_place.values()]
        (line,) = axes.plot(list(by_place), means, marker='s', label=label)
        axes.plot(*zip(*runs), '.', color=line.get_color(), alpha=0.6)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
