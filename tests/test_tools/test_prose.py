"""Docstrings that begin with an ellipsis are found."""

from __future__ import annotations

from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool

TOOL = ROOT / 'tools' / 'misc' / 'prose.py'


def test_the_project_has_none():
    status, _, error = run_tool(TOOL)
    assert status == 0, error


def test_they_are_listed_with_their_lines(tmp_path):
    path = tmp_path / 'a.py'
    path.write_text(
        '"""What this does."""\n\n\ndef f(path, seed, name):\n'
        '    """Return whether it does.\n\n    Args:\n'
        '        path (Path): Of the file.\n'
        '        seed (int): seed of the run.\n'
        "        name (dict[str, int], optional): Those of all. Defaults to ``{'a': 1}``.\n"
        '    """\n'
    )
    status, _, error = run_tool(TOOL, path)
    assert status == 1
    lines = [line.rsplit('a.py:')[1].split(':')[0] for line in error.splitlines()[:-1]]
    assert lines == ['1', '8', '10']
