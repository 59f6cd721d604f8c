"""The papers' numbers, out of the metafiles into the tables of recipes."""

from __future__ import annotations

import math

import pytest

from mmpixcon.recipes import read_recipe
from mmpixcon.recipes.papers import numbers_of, paper_results, read_models
from tests.helpers.configs import CONFIGS

METAFILE = """
Collections:
  - Name: Method
    Paper: {Title: Of a method}
Models:
  - Name: a
    Results:
      - {Task: T, Dataset: COCO, Metrics: {box AP: 1.0}}
      - Task: T
        Dataset: COCO
        Metrics: {box AP (paper): 2.0, box AP_S (paper): 3.0, mask AP (paper): 4.0}
        Paper: {Name: P, Table: [1, 3 (a)], Row: A}
  - Name: b
    Results:
      - Task: T
        Dataset: VOC
        Metrics: {box AP (paper): 5.0}
        Paper: {Name: P, Table: 1, Row: B, Column: long}
"""
METRICS = {'AP': 'coco/bbox_mAP', 'AP_S': 'coco/bbox_mAP_s'}


@pytest.fixture
def metafile(tmp_path, monkeypatch):
    """The one metafile of a checkout."""
    (tmp_path / 'configs' / 'method').mkdir(parents=True)
    path = tmp_path / 'configs' / 'method' / 'metafile.yml'
    path.write_text(METAFILE)
    monkeypatch.setattr('mmpixcon.recipes.papers.tools_folder', lambda: tmp_path / 'tools')
    paper_results.cache_clear()
    yield path
    paper_results.cache_clear()


def test_numbers_by_row_column_and_metric(metafile):
    expected = {'A': {'': {'AP': 2.0, 'AP_S': 3.0}}}
    for source in (dict(table=1, dataset='COCO'), dict(table=3), dict(table='3 (a)')):
        assert numbers_of(dict(name='P', **source), [''], METRICS, 'here') == expected
    both = numbers_of(dict(name='P', table=(1, 3)), ['long'], METRICS, 'here')
    assert both == {'A': {'long': {'AP': 2.0, 'AP_S': 3.0}}, 'B': {'long': {'AP': 5.0}}}


@pytest.mark.parametrize(
    ('source', 'columns', 'message'),
    [
        (
            dict(name='P'),
            [''],
            r"here.paper = {'name': 'P'}: write paper=dict\(name='PAPER', table=1",
        ),
        (dict(name='P', table=1, rows=3), [''], 'write paper=dict'),
        (dict(name='Q', table=1), [''], 'no metafile has numbers of it; papers are P'),
        (dict(name='P', table=2), [''], 'no metafile has numbers of it'),
        (dict(name='P', table=1), ['short', 'long'], "'A' of the metafile has no Column, and the"),
    ],
)
def test_what_is_not_there(metafile, source, columns, message):
    with pytest.raises(ValueError, match=message):
        numbers_of(source, columns, METRICS, 'here')


def test_a_recipe_names_a_table_of_a_paper(metafile, tmp_path):
    (tmp_path / 'a.py').write_text('x = 1\n')
    path = tmp_path / 'recipe.py'
    path.write_text(
        "stages = dict(A=dict(config='a.py'))\n"
        "tables = [dict(rows=dict(A={'': 'A'}), metrics=dict(AP='coco/bbox_mAP'),\n"
        "               paper=dict(name='P', table=1, dataset='COCO'))]\n"
    )
    assert read_recipe(path).tables[0].paper == {'A': {'': {'AP': 2.0}}}
    path.write_text(path.read_text().replace("dataset='COCO'", "dataset='VOC'"))
    with pytest.raises(ValueError, match=r"tables.0.paper has 'B', which the recipe does not have"):
        read_recipe(path)


def test_methods_have_a_paper(metafile):
    assert [model['Name'] for model in read_models(methods_only=True)] == ['a', 'b']
    metafile.write_text(METAFILE.replace('    Paper: {Title: Of a method}\n', ''))
    assert read_models(methods_only=True) == [] and len(read_models()) == 2


def test_every_number_of_the_papers_is_in_a_recipe():
    tables = [
        table
        for path in sorted((CONFIGS / 'recipes').glob('*_table*.py'))
        for table in read_recipe(path).tables
    ]
    compared = {
        (row, value)
        for table in tables
        for row, by in table.paper.items()
        for numbers in by.values()
        for value in numbers.values()
    }
    results = paper_results()
    assert len(results) > 150
    for result in results:
        for metric, value in result.metrics.items():
            assert 0 <= value < 100 and math.isclose(value, round(value, 1)), (result.row, metric)
            # The recipe has no column for a number of the text.
            if result.tables != ('section 4.5.1',):
                assert (result.row, value) in compared, (result.row, metric)
