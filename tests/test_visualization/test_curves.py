"""Logs of finished, interrupted and resumed runs, and curves of them."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from mmpixcon.visualization.curves import (
    draw_convergence,
    draw_curves,
    read_evaluations,
    read_scalars,
)
from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool

TOOL = ROOT / 'tools' / 'analysis_tools' / 'convergence_curves.py'
AP = 'coco/bbox_mAP'


def write_log(work_dir, records, time='1', end='\n'):
    folder = work_dir / time / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, records)) + end)
    return work_dir


def epochs(values, first=1, length=10):
    """A loop by epochs of so many iterations, evaluated after each; logged at 7 of 10."""
    records = []
    for epoch, value in enumerate(values, first):
        step = (epoch - 1) * length + 7
        records += [
            dict(loss=1.0, epoch=epoch, iter=step, step=step),
            {AP: value, 'coco/bbox_AR@100': 0.9, 'time': 0.1, 'step': epoch},
        ]
    return records


def iterations(values, every=50):
    """A loop by iterations: mmengine gives every evaluation the step 0."""
    records = []
    for i, value in enumerate(values, 1):
        records += [dict(loss=1.0, iter=i * every, step=i * every), {AP: value, 'step': 0}]
    return records


def test_evaluations_by_epoch_and_by_iteration(tmp_path):
    run = write_log(tmp_path / 'a', epochs([0.1, 0.2, 0.3]))
    assert read_evaluations(run, AP, 'epoch') == {1: 0.1, 2: 0.2, 3: 0.3}
    assert read_evaluations(run, AP, 'iteration') == {7: 0.1, 17: 0.2, 27: 0.3}
    run = write_log(tmp_path / 'b', iterations([0.1, 0.2]))
    assert read_evaluations(run, AP, 'iteration') == {50: 0.1, 100: 0.2}
    with pytest.raises(ValueError, match=r'b was trained by iterations and has no epochs'):
        read_evaluations(run, AP, 'epoch')


def test_resumed_and_killed_runs(tmp_path):
    # Killed while writing, in its fourth epoch; resumed from the second.
    run = write_log(tmp_path / 'a', epochs([0.1, 0.2, 0.3]), end='\n{"loss": 1.0, "epo')
    assert read_evaluations(run, AP, 'epoch') == {1: 0.1, 2: 0.2, 3: 0.3}
    assert [record['step'] for record in read_scalars(run)] == [7, 17, 27, 1, 2, 3]
    write_log(run, epochs([0.25, 0.35], first=3), time='2')
    assert read_evaluations(run, AP, 'epoch') == {1: 0.1, 2: 0.2, 3: 0.25, 4: 0.35}
    log = run / '1' / 'vis_data' / 'scalars.json'
    log.write_text('{"a"\n{"loss": 1.0, "step": 1}\n')
    with pytest.raises(ValueError, match=r'scalars\.json, line 1 is not a record of scalars'):
        read_scalars(run)


def test_what_is_not_there_is_named(tmp_path):
    run = write_log(tmp_path / 'a', epochs([0.1]))
    match = r'a has no coco/AP; there are coco/bbox_AR@100, coco/bbox_mAP'
    with pytest.raises(ValueError, match=match):
        read_evaluations(run, 'coco/AP', 'epoch')
    run = write_log(tmp_path / 'b', epochs([0.1])[:1])
    with pytest.raises(ValueError, match=r'b has no coco/bbox_mAP; it was not evaluated yet'):
        read_evaluations(run, AP, 'epoch')
    with pytest.raises(FileNotFoundError, match=r'c has no \*/vis_data/scalars\.json'):
        read_evaluations(tmp_path / 'c', AP, 'epoch')


def test_panels_without_runs_are_left_out(tmp_path):
    write_log(tmp_path / 'a', [dict(step=s, loss=2.0 / s, time=0.1) for s in (1, 2, 4)])
    panels = {'rank': ['effective_rank'], 'loss': ['loss']}
    figure = draw_curves({'one': tmp_path / 'a'}, panels, smooth=1)
    (axes,) = figure.axes
    assert axes.get_title() == 'loss'
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1, 2, 4])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [2, 1, 0.5])


def test_bands_are_a_deviation_wide():
    values = np.array([[0.1, 0.4], [0.3, 0.4]])
    figure = draw_convergence(
        {'two': (np.array([1, 2]), values), 'one': (np.array([1, 5]), values[:1])}, 'epoch', AP
    )
    axes = figure.axes[0]
    assert [line.get_label() for line in axes.lines] == ['two', 'one']
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.2, 0.4])
    assert axes.lines[1].get_xdata().tolist() == [1, 5]
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    at_first = corners[corners[:, 0] == 1][:, 1]
    deviation = np.sqrt(0.02)
    actual = [at_first.min(), at_first.max()]
    assert actual == pytest.approx([0.2 - deviation, 0.2 + deviation])


def test_the_tool_draws_and_prints_the_table(tmp_path):
    seeds = [
        write_log(tmp_path / 'a0', epochs([0.1, 0.2, 0.3])),
        write_log(tmp_path / 'a1', epochs([0.3, 0.2])),
    ]
    other = write_log(tmp_path / 'b', epochs([0.5, 0.6, 0.7]))
    out = tmp_path / 'new' / 'curves.png'
    runs = [f'from scratch={seeds[0]},{seeds[1]}', f'Siamese DETR={other}']
    status, printed, error = run_tool(TOOL, *runs, '--out', out)
    assert status == 0, error[-2000:]
    # The third epoch is of one seed only.
    assert printed.splitlines() == [
        '| epoch | from scratch | Siamese DETR |',
        '| --- | --- | --- |',
        '| 1 | 0.2000 ± 0.1414 | 0.5000 |',
        '| 2 | 0.2000 ± 0.0000 | 0.6000 |',
        '| 3 |  | 0.7000 |',
        str(out),
    ]
    assert cv2.imread(str(out)).shape == (540, 720, 3)


@pytest.mark.parametrize(
    ('runs', 'message'),
    [
        (['a=RUN/nowhere'], 'convergence_curves: RUN/nowhere has no */vis_data/scalars.json'),
        (['a=RUN/a,RUN/late'], 'RUN/a, RUN/late were never evaluated at the same epoch'),
        (['RUN/a'], 'is no NAME=WORK_DIR[,WORK_DIR...]'),
        (['a=RUN/a', 'a=RUN/late'], 'two runs have the same name; write NAME=WORK_DIR,WORK_DIR'),
    ],
)
def test_what_cannot_be_drawn(runs, message, tmp_path):
    write_log(tmp_path / 'a', epochs([0.1]))
    write_log(tmp_path / 'late', epochs([0.1], first=5))
    status, _, error = run_tool(TOOL, *(run.replace('RUN', str(tmp_path)) for run in runs))
    assert status in (1, 2)
    assert message.replace('RUN', str(tmp_path)) in error
