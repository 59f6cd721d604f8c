"""What makes a training another one."""

from __future__ import annotations

import pytest

from mmpixcon.utils.trainings import Trainings, mean_and_deviation, named_configs, read_metrics

CONFIG = """
train_cfg = dict(max_epochs={epochs})
model = dict(type='A', depth=18)
small_piece = {piece}
"""


@pytest.fixture
def digest(tmp_path):
    def find(epochs=3, piece=1, options=(), root=None):
        path = tmp_path / 'config.py'
        path.write_text(CONFIG.format(epochs=epochs, piece=piece))
        return Trainings(tmp_path, tmp_path, root)._digest(str(path), options)

    return find


def test_a_run_is_what_the_runner_reads(digest):
    assert digest() == digest(piece=2)
    others = [digest(epochs=4), digest(options=['a=1']), digest(options=['a=2']), digest(root='x')]
    assert len({digest(), *others}) == 5


def test_mean_and_deviation():
    assert mean_and_deviation([1.0, 2.0, 3.0]) == '2.0 ± 1.0'
    assert mean_and_deviation([1.25]) == '1.2'


def test_a_run_without_an_evaluation(tmp_path):
    logs = tmp_path / '0' / 'vis_data'
    logs.mkdir(parents=True)
    (logs / 'scalars.json').write_text('{"step": 1, "loss": 2.0}')
    with pytest.raises(ValueError, match='no evaluation with coco/bbox_mAP'):
        read_metrics(tmp_path)


def test_names(tmp_path):
    with pytest.raises(ValueError, match=r'a=nowhere\.py: no such config file'):
        named_configs(['a=nowhere.py'])
