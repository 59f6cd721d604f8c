"""Pages of the project, and the bash blocks that readers copy from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tests.helpers.configs import ROOT

PAGES = sorted(
    path
    for pattern in ('*.md', 'docs/**/*.md', 'configs/*/*.md', 'examples/*/*.md')
    for path in ROOT.glob(pattern)
    # The template's page is that of a method which is not in configs/.
    if 'view_agreement' not in path.parts
)
FENCE = re.compile(r'^ *(`{3,}|~{3,})(.*)$')
COMMENT = re.compile(r'^ *<!-- (.*) -->$')
MARK = re.compile(r'(executed by|not executed)(?:, lines? (\d+)(?:-(\d+))?)?: (.+)')
OUTPUT = '<!-- output of the block above -->'


@dataclass(frozen=True)
class Mark:
    """A comment above a bash block that says why the block is not run as it stands.

    Args:
        by_test (bool): whether a test runs the same; the text is its name, else a reason
        lines (range): lines of the block that it is about, from 1
        text (str): name of the test, or the reason
    """

    by_test: bool
    lines: range
    text: str


@dataclass(frozen=True)
class Block:
    """A bash block of a page.

    Args:
        page (Path): the page
        number (int): line of the page that the block begins in
        text (str): the commands
        marks (tuple[Mark, ...]): what the comments above it say
        output (str | None): what it prints, as the page shows it
    """

    page: Path
    number: int
    text: str
    marks: tuple[Mark, ...]
    output: str | None = None

    @property
    def place(self) -> str:
        """str: Page and line, for messages."""
        page = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page
        return f'{page}:{self.number}'

    @property
    def unmarked(self) -> str:
        """str: The lines that no mark is about."""
        marked = {number for mark in self.marks for number in mark.lines}
        lines = enumerate(self.text.splitlines(), 1)
        return '\n'.join(line for number, line in lines if number not in marked)


def fences(path: Path) -> Iterator[tuple[int, list[str], str, str]]:
    """Yield line, comments right above, language and text of each fenced block of a page."""
    above: list[str] = []
    opened: tuple[int, list[str], str, str] | None = None
    inside: list[str] = []
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        fence = FENCE.match(line)
        if opened:
            if fence and fence[1].startswith(opened[3]) and not fence[2].strip():
                yield opened[0], opened[1], opened[2], dedent('\n'.join(inside))
                opened, above = None, []
            else:
                inside.append(line)
        elif fence:
            opened, inside = (number, above, fence[2].strip(), fence[1]), []
        else:
            above = [*above, line.strip()] if COMMENT.match(line) else []


def blocks(path: Path) -> list[Block]:
    """Read the bash blocks of a page.

    Raises:
        ValueError: A comment above a block is no mark.
    """
    found: list[Block] = []
    for number, above, language, text in fences(path):
        if language == 'bash':
            marks = []
            for comment in above:
                mark = MARK.fullmatch(COMMENT.match(comment)[1])
                if not mark:
                    raise ValueError(
                        f'{path}:{number}: {comment} names no test that executes this and no reason'
                    )
                count = len(text.splitlines())
                first, last = int(mark[2] or 1), int(mark[3] or mark[2] or count)
                if not 1 <= first <= last <= count:
                    raise ValueError(f'{path}:{number}: {comment} names lines that are not there')
                marks.append(Mark(mark[1] == 'executed by', range(first, last + 1), mark[4]))
            found.append(Block(path, number, text, tuple(marks)))
        elif OUTPUT in above:
            if not found:
                raise ValueError(f'{path}:{number}: no bash block is above this output')
            block = found[-1]
            found[-1] = Block(block.page, block.number, block.text, block.marks, text)
    return found
