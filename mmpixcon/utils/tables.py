"""Tables as text: for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def format_table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Align the columns of a table: the first to the left, the others to the right.

    Args:
        header (Sequence): titles of the columns.
        rows (Iterable[Sequence]): cells of each row, as many as there are titles.

    Returns:
        str: lines of equal length, without a line break at the end.
    """
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    first, *others = (max(map(len, column)) for column in zip(*cells, strict=True))
    return '\n'.join(
        '  '.join([row[0].ljust(first), *(map(str.rjust, row[1:], others))]) for row in cells
    )


def markdown_table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Write a table in Markdown.

    Args:
        header (Sequence): titles of the columns.
        rows (Iterable[Sequence]): cells of each row, as many as there are titles.

    Returns:
        str: lines, without a line break at the end.
    """
    return '\n'.join(map(markdown_row, [header, ['---'] * len(header), *rows]))


def markdown_row(cells: Iterable[object]) -> str:
    """Write a row of a table in Markdown."""
    return f'| {" | ".join(map(str, cells))} |'
