"""What recipes are written with."""

from __future__ import annotations

import pytest

from mmpixcon.recipes import epoch_options, pretrain_then, rows_of


def test_every_task_from_every_start():
    starts = {'scratch': dict(options=dict(b=2)), 'DetCo': dict(init=dict(load_from='DetCo'))}
    tasks = {'COCO': dict(config='c.py', options=dict(a=1)), 'VOC': dict(config='v.py')}
    assert pretrain_then(starts, tasks) == {
        'scratch, COCO': dict(config='c.py', options=dict(a=1, b=2)),
        'scratch, VOC': dict(config='v.py', options=dict(b=2)),
        'DetCo, COCO': dict(config='c.py', options=dict(a=1), init=dict(load_from='DetCo')),
        'DetCo, VOC': dict(config='v.py', options={}, init=dict(load_from='DetCo')),
    }
    assert list(pretrain_then(starts, tasks))[:2] == ['scratch, COCO', 'scratch, VOC']
    assert tasks['COCO']['options'] == dict(a=1)


def test_rows_of_their_tables():
    assert rows_of(['a', 'b'], (task for task in ('COCO', 'VOC'))) == {
        'a': {'COCO': 'a, COCO', 'VOC': 'a, VOC'},
        'b': {'COCO': 'b, COCO', 'VOC': 'b, VOC'},
    }
    assert rows_of(['a'], 'VOC') == {'a': {'': 'a, VOC'}}


def test_options_of_a_length():
    assert epoch_options(104, decay=88) == {
        'train_cfg.max_epochs': 104,
        'train_cfg.val_interval': 26,
        'param_scheduler.MultiStepLR.end': 104,
        'param_scheduler.MultiStepLR.milestones': [88],
    }
    assert epoch_options(9, decay=6, evaluations=3)['train_cfg.val_interval'] == 3


@pytest.mark.parametrize(
    'epochs,decay,evaluations', [(10, 8, 4), (12, 12, 4), (12, 0, 4), (8, 4, 0)]
)
def test_a_length_without_even_evaluations_or_decay_is_refused(epochs, decay, evaluations):
    with pytest.raises(ValueError, match=f'{epochs} '):
        epoch_options(epochs, decay, evaluations)
