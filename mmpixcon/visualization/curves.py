"""Curves of one or several runs, from the logs that mmengine writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def read_scalars(work_dir: str | Path) -> list[dict]:
    """Every logged record of a work folder, resumed runs in order.

    Args:
        work_dir (str | Path): Has ``TIME/vis_data/scalars.json`` files.

    Returns:
        list[dict]: Records with ``step`` and scalars; of a step that was
        trained twice (before and after resuming) the later one.

    Raises:
        FileNotFoundError: The folder has no logs.
    """
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'{work_dir} has no */vis_data/scalars.json: was it trained?')
    records: dict[tuple[str, int], dict] = {}
    for log in logs:
        for line in log.read_text().splitlines():
            record = json.loads(line)
            kind = 'train' if 'loss' in record else 'val'
            records[kind, record['step']] = record
    return [records[key] for key in sorted(records)]


def draw_curves(
    runs: dict[str, str | Path], names: dict[str, list[str]], smooth: int = 5
) -> Figure:
    """Draw scalars over iterations, a panel a title, a line a run.

    Args:
        runs (dict[str, str | Path]): Work folder of each run, by its label.
        names (dict[str, list[str]]): For each panel's title the scalars that
            are added up; a run without any of them is left out.
        smooth (int): Records in the moving average. Defaults to 5.

    Returns:
        Figure: To be saved with ``savefig``.
    """
    figure = Figure(figsize=(5 * len(names), 4), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, (title, scalars) in zip(panels, names.items()):
        for label, work_dir in runs.items():
            records = [r for r in read_scalars(work_dir) if any(name in r for name in scalars)]
            if not records:
                continue
            values = np.array([sum(r.get(name, 0.0) for name in scalars) for r in records])
            window = max(1, min(smooth, len(values)))
            mean = np.convolve(values, np.ones(window) / window, mode='valid')
            axes.plot([r['step'] for r in records][window - 1 :], mean, label=label)
        axes.set(title=title, xlabel='iteration')
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def draw_comparison(results: dict[str, list[float]], label: str) -> Figure:
    """Draw the runs of several models: a point a seed, a bar their mean.

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
    axes.barh(rows, [np.mean(values) for values in results.values()], color='lightsteelblue')
    for row, values in zip(rows, results.values()):
        axes.plot(values, np.full(len(values), row), 'o', color='midnightblue', markersize=4)
    axes.set_yticks(rows, list(results))
    axes.invert_yaxis()
    axes.set_xlabel(label)
    return figure
