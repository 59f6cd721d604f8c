"""Numbers of README pages out of metafiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool

TOOL = ROOT / 'tools' / 'misc' / 'readme_tables.py'
METAFILE = """
Collections: [{Name: Method}]
Models:
  - Name: a_coco
    Results:
      - {Task: T, Dataset: COCO, Metrics: {AP: 1.25, AP deviation: 0.5}}
      - {Task: T, Dataset: COCO, Metrics: {AP (paper): 2.0, AP50 (paper): 3}, Paper: {Name: P}}
  - Name: b_coco
    Results:
      - {Task: T, Dataset: COCO, Metrics: {AP (paper): 4.0}, Paper: {Name: P}}
  - Name: a_coco, from b
    Results:
      - {Task: T, Dataset: "VOC, 10 %", Metrics: {AP (paper): 5.0}, Paper: {Name: P}}
  - {Name: c_coco}
"""
PAGE = """# Page

<!-- table: paper P; AP on COCO or VOC, 10 %; text; AP50 on COCO -->
| config | what | AP | by hand | AP50 |
|---|---|---|---|---|
| [a](a_coco.py) | 1 | | 7.5 | 9.9 |
| `{a,b}_coco`, `..._bccd` | 2 | 0.1 | | |
| from b <!-- a_coco, from b --> | 3 | | | |
| [c](../c_coco.py) | 4 | small ones | | 6.6 |
<!-- end -->

| 2.0 | untouched |

<!-- table: ours; AP on COCO -->
| run | AP |
|---|---|
| `a_coco` | 1.2 ± 0.5 |
<!-- end -->
"""


@pytest.fixture
def page(tmp_path):
    """A page beside a metafile."""
    (tmp_path / 'configs' / 'method').mkdir(parents=True)
    (tmp_path / 'configs' / 'method' / 'metafile.yml').write_text(METAFILE)
    path = tmp_path / 'README.md'
    path.write_text(PAGE)
    return path


def run(page: Path, *options: str) -> tuple[int, str, str]:
    """Run the tool on a page."""
    return run_tool(TOOL, page, '--configs', page.parent / 'configs', *options)


def test_tables_are_written_in_place(page):
    assert run(page)[0] == 0
    assert page.read_text() == (
        PAGE.replace('| 1 | | 7.5 | 9.9 |', '| 1 | 2.0 | 7.5 | 3.0 |')
        .replace('| 2 | 0.1 | | |', '| 2 | 2.0, 4.0 | | 3.0, - |')
        .replace('| 3 | | | |', '| 3 | 5.0 | | |')
        .replace('| small ones | | 6.6 |', '| small ones | | |')
    )
    before = page.read_text()
    assert run(page) == (0, '', '') and page.read_text() == before


def test_check_names_the_tables_that_differ_and_writes_nothing(page):
    code, out, err = run(page, '--check')
    assert code == 1 and page.read_text() == PAGE
    assert out.splitlines() == [
        f'{page}:3: table: paper P; AP on COCO or VOC, 10 %; text; AP50 on COCO'
    ]
    assert 'other numbers than configs/*/metafile.yml: change them there' in err
    run(page)
    assert run(page, '--check')[0] == 0


@pytest.mark.parametrize(
    ('before', 'after', 'message'),
    [
        ('a_coco.py', 'd_coco.py', 'd_coco is in no metafile'),
        ('paper P;', 'P;', "'P' must be 'ours' or 'paper NAME'"),
        ('; AP50 on COCO', '; AP50', "'AP50' must be 'METRIC, METRIC on DATA SET', or 'text'"),
        ('| 1 | | 7.5 | 9.9 |', '| 1 |', '3 columns and a first one are said'),
    ],
)
def test_what_cannot_be_read(page, before, after, message):
    page.write_text(PAGE.replace(before, after))
    code, _, err = run(page)
    assert code == 1 and f'{page}:3: table: ' in err and message in err


def test_two_numbers_for_the_same(page):
    metafile = page.parent / 'configs' / 'method' / 'metafile.yml'
    metafile.write_text(METAFILE.replace('VOC, 10 %', 'COCO').replace('a_coco, from b', 'a_coco'))
    code, _, err = run(page)
    assert code == 1 and 'a_coco has paper P, COCO, AP twice' in err


def test_pages_have_the_numbers_of_the_metafiles():
    code, out, _ = run_tool(TOOL, '--check')
    assert code == 0, out
