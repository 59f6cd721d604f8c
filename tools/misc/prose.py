r"""Lists docstrings that begin with an ellipsis, as ``path (Path): Of the file``.

    python tools/misc/prose.py            # the package and the tools; exits with 1 if there are any

An argument's description names the thing: ``path (Path): file to read``. The first line of a
docstring is a sentence or a noun phrase that stands alone: ``Return whether ...``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ('mmpixcon', 'mmpixcon_ops', 'tools')
ARGUMENT = re.compile(r'^\s+[\w*]+ \(.+\): (Of|That|Theirs|Whose|Those|Which)\b')
FIRST_LINE = re.compile(r'^\s*r?"""(What|Whether|Of|Who|Whose)\b')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('paths', nargs='*', type=Path, help='files (default: package and tools)')
    return parser.parse_args()


def ellipses(path: Path) -> Iterator[tuple[int, str]]:
    """Find the lines of a file that begin with an ellipsis.

    Args:
        path (Path): Python file.

    Yields:
        tuple[int, str]: number and text of a line.
    """
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        if ARGUMENT.match(line) or FIRST_LINE.match(line):
            yield number, line.strip()


def main() -> None:
    """List them, and exit with 1 if there are any."""
    args = parse_args()
    paths = args.paths or [
        path
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob('*.py'))
        if '.mim' not in path.parts
    ]
    lines = [f'{path}:{number}: {text}' for path in paths for number, text in ellipses(path)]
    if lines:
        raise SystemExit('\n'.join([*lines, 'Name the thing: see CONTRIBUTING.md, Style.']))


if __name__ == '__main__':
    main()
