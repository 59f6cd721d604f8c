"""Figures of an evaluation."""

from __future__ import annotations

import numpy as np

from mmpixcon.visualization.evaluation import draw_confusion, draw_precision_recall
from mmpixcon.visualization.labels import draw_class_counts

NAMES = ('$5 to $10', r'$\frac{$', 'a_b^c')


def test_names_are_drawn_as_they_are(tmp_path):
    """Also where they would be wrong mathematics."""
    curves = np.ones((101, 3))
    average = dict.fromkeys(NAMES, 0.5)
    figures = [
        draw_precision_recall(curves, NAMES, average),
        draw_confusion(np.eye(4, dtype=int), NAMES),
        draw_class_counts({'train': dict.fromkeys(NAMES, 3)}),
    ]
    for number, figure in enumerate(figures):
        figure.savefig(tmp_path / f'{number}.png')
    labels = [text.get_text() for text in figures[0].axes[0].get_legend().get_texts()]
    assert labels == [f'{name} (AP 50.0)' for name in NAMES]
    assert [text.get_text() for text in figures[1].axes[0].get_yticklabels()][:3] == list(NAMES)
