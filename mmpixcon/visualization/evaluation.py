"""Figures of an evaluation: precision over recall, and classes that are confused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .plain_text import plain_text


@plain_text
def draw_precision_recall(
    precisions: np.ndarray, classes: Sequence[str], average: Mapping[str, float]
) -> Figure:
    """Draw precision over recall.

    Args:
        precisions (np.ndarray): precision at recalls of 0 to 1 by class, (101, classes).
        classes (Sequence[str]): names of the classes.
        average (Mapping[str, float]): AP of each class, from 0 to 1, for the legend.

    Returns:
        Figure: a curve for each class.
    """
    figure = Figure(figsize=(6.4, 4.6), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    recalls = np.linspace(0, 1, len(precisions))
    for name, curve in zip(classes, precisions.T, strict=True):
        if (curve >= 0).any():
            axes.plot(recalls, np.maximum(curve, 0), label=f'{name} (AP {100 * average[name]:.1f})')
    axes.set(xlabel='recall', ylabel='precision at an IoU of 0.5', xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize=8, loc='lower left')
    return figure


@plain_text
def draw_confusion(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw which classes are taken for which.

    Args:
        counts (np.ndarray): counts of shape (K + 1, K + 1), annotated by detected.
        classes (Sequence[str]): names of the K classes.

    Returns:
        Figure: a cell for each pair, colored by its share of the row.
    """
    side = max(4.0, 1.5 + 0.55 * len(counts))
    figure = Figure(figsize=(side + 0.8, side), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        color = 'white' if shares[row, column] > 0.5 else 'black'
        axes.text(column, row, str(count), ha='center', va='center', color=color, fontsize=8)
    places = range(len(counts))
    axes.set_xticks(places, [*classes, 'missed'], rotation=45, ha='right')
    axes.set_yticks(places, [*classes, 'nothing there'])
    axes.set(xlabel='detected', ylabel='annotated')
    return figure
