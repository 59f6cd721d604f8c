"""The rooms of the package: who imports whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.helpers.configs import ROOT

# Each room may import from those before it; datasets and models share a place.
ORDER = (
    ('version', 'versions', 'limits', 'registry', 'utils', 'compat'),
    ('datasets', 'models'),
    ('evaluation',),
    ('engine',),
    ('conversion',),
    ('apis',),
    ('visualization',),
    ('recipes',),
    ('fitting',),
    ('commands',),
    ('__main__',),
)
PLACE = {room: place for place, rooms in enumerate(ORDER) for room in rooms}


def imported(path: Path, root: Path = ROOT) -> set[str]:
    """Dotted names of the modules, and of what is taken from them, that a file imports."""
    package = path.relative_to(root).parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = '.'.join(base + ([node.module] if node.module else []))
            names |= {f'{module}.{alias.name}' for alias in node.names}
    return names


def test_no_room_imports_one_above_it() -> None:
    rooms = set()
    for path in (ROOT / 'mmpixcon').rglob('*.py'):
        parts = path.relative_to(ROOT / 'mmpixcon').with_suffix('').parts
        if parts[0] in ('__init__', '.mim'):
            continue
        room = parts[0]
        rooms.add(room)
        for name in imported(path):
            if not name.startswith('mmpixcon.'):
                continue
            other = name.split('.')[1]
            assert other == room or PLACE[other] < PLACE[room] or PLACE[room] == 0, (path, name)
    assert rooms == set(PLACE)


@pytest.mark.parametrize('room', ['mmpixcon', 'mmpixcon_ops'])
def test_the_package_imports_no_tool_and_no_test(room: str) -> None:
    for path in (ROOT / room).rglob('*.py'):
        if '.mim' not in path.parts:
            assert not [n for n in imported(path) if n.split('.')[0] in ('tools', 'tests')], path


def test_no_test_imports_another() -> None:
    for path in (ROOT / 'tests').rglob('*.py'):
        for name in imported(path):
            parts = name.split('.')
            if parts[0] == 'tests':
                assert parts[1] == 'helpers', (path, name)
