"""Runs of the recipe whose tools pretend."""

from __future__ import annotations

import io
from pathlib import Path

from mmpixcon.recipes import read_recipe
from mmpixcon.recipes.execute import Execution
from mmpixcon.recipes.launch import Board, Launch


def calls():
    """Runs since the last call, in order."""
    path = Path('calls')
    lines = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def execution(path, changed='refuse', **options):
    return Execution(read_recipe(path, **options), Path('work'), Launch(), changed)


def execute(path, changed='refuse', **options):
    out = io.StringIO()
    run = execution(path, changed, **options)
    run.execute(Board(len(run.runs), out))
    return out.getvalue()
