"""What recipes are written with."""

from __future__ import annotations

from mmpixcon.recipes import pretrain_then, rows_of


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
