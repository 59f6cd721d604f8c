"""Rows of the papers' tables, as ``configs/papers`` lists them, and the runs that they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmpixcon.recipes import Recipe, Table
from mmpixcon.recipes.papers import PaperResult, paper_results
from mmpixcon.recipes.recipe import read_config
from paper_files import Paper, PaperTable
from paper_runs import Run, chain, run_of_config


@dataclass(frozen=True)
class Line:
    """A run of a row.

    Attributes:
        row (str): Name of the row.
        column (str): Name of the column, '' if it is the only one.
        dataset (str): What the paper's numbers are measured on, '' without numbers.
        stage (str): Name of the stage; '' for a config without one.
        runs (tuple[Run, ...]): The run, and those it starts from.
        metrics (dict[str, float]): The paper's numbers.
    """

    row: str
    column: str
    dataset: str
    stage: str
    runs: tuple[Run, ...]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Rows:
    """The rows of a paper.

    Attributes:
        paper (Paper): What the file says.
        recipe (Recipe): Recipe of the tables.
        lines (dict[PaperTable, list[Line]]): Lines of each table, by its place in the file.
        problems (list[str]): What the file says and is not so.
    """

    paper: Paper
    recipe: Recipe
    lines: Mapping[str, Sequence[Line]]
    problems: Sequence[str]

    @property
    def runs(self) -> list[Run]:
        """list[Run]: All runs of all rows, each once."""
        found: dict[tuple[str, str], Run] = {}
        for lines in self.lines.values():
            for line in lines:
                for run in line.runs:
                    found.setdefault((run.name, run.config), run)
        return list(found.values())


def rows_of(paper: Paper, recipe: Recipe, results: Sequence[PaperResult] | None = None) -> Rows:
    """Find the runs of a paper's rows.

    Args:
        paper (Paper): file of the paper.
        recipe (Recipe): Recipe of its tables.
        results (Sequence[PaperResult], optional): Numbers of papers. Defaults to those of the
            metafiles.

    Returns:
        Rows: runs, and what does not fit.
    """
    results = [
        result
        for result in (paper_results() if results is None else results)
        if result.paper == paper.name
    ]
    # Where the numbers of a recipe's table come from, which a Table no longer tells.
    sources = [
        table.get('paper', {})
        for table in read_config(recipe.path, may_import=True).get('tables', ())
    ]
    compared = list(zip(recipe.tables, sources))
    used: set[int] = set()
    lines: dict[str, list[Line]] = {}
    problems: list[str] = []
    for table in paper.tables:
        here = [(t, s) for t, s in compared if _belongs(s, paper.name, table)]
        numbers = [(i, r) for i, r in enumerate(results) if _stands_in(r, table)]
        lines[table.where] = list(_lines(recipe, table, here, numbers, used))
        problems += _misfits(table, here, lines[table.where], numbers)
    problems += _unlisted(paper, recipe)
    for i, result in enumerate(results):
        if i not in used:
            names = ', '.join(result.tables)
            column = f', {result.column}' if result.column else ''
            problems.append(
                f'{paper.path.name}: a metafile has numbers of table {names}, row {result.row!r}'
                f'{column}, {result.dataset}, and no table here lists that row'
            )
    return Rows(paper, recipe, lines, problems)


def _belongs(source: Mapping[str, Any], name: str, paper_table: PaperTable) -> bool:
    """Return whether a recipe's table shows one of the paper."""
    if source.get('name') != name:
        return False
    tables = source['table']
    tables = tables if isinstance(tables, (list, tuple)) else [tables]
    return any(paper_table.holds(str(one)) for one in tables)


def _stands_in(result: PaperResult, table: PaperTable) -> bool:
    """Return whether numbers of a metafile are those of a table."""
    return (
        any(table.holds(name) for name in result.tables)
        and table.dataset in (None, result.dataset)
        and (not table.columns or result.column in table.columns)
    )


def _lines(
    recipe: Recipe,
    table: PaperTable,
    here: Sequence[tuple[Table, Mapping[str, Any]]],
    numbers: Sequence[tuple[int, PaperResult]],
    used: set[int],
) -> Iterator[Line]:
    """Lines of a table; adds to ``used`` which numbers they have."""
    for row in (*table.rows, *table.repeated):
        for shown, source in here:
            for column, stage in shown.rows.get(row, {}).items():
                if table.columns and column not in table.columns:
                    continue
                found = [
                    (i, result)
                    for i, result in numbers
                    if result.row == row
                    and result.column in (None, column)
                    and source.get('dataset', result.dataset) == result.dataset
                ]
                # Of a figure only those numbers are known that the text has too.
                if numbers and not found and row in table.rows and not table.is_figure:
                    continue
                used.update(i for i, _ in found)
                result = found[0][1] if found and row in table.rows else None
                yield Line(
                    row=row,
                    column=column,
                    dataset=source.get('dataset', '') if result is None else result.dataset,
                    stage=stage,
                    runs=tuple(chain(recipe, recipe.stages[stage])),
                    metrics={} if result is None else result.metrics,
                )
    for row, config in table.configs.items():
        yield Line(row, '', '', '', (run_of_config(row, config, table.where),), {})


def _misfits(
    table: PaperTable,
    here: Sequence[tuple[Table, Mapping[str, Any]]],
    lines: Sequence[Line],
    numbers: Sequence[tuple[int, PaperResult]],
) -> Iterator[str]:
    """Tell what the file says of a table and is not so."""
    found = {line.row for line in lines}
    for row in (*table.rows, *table.repeated):
        if row not in found:
            yield (
                f'{table.where}: row {row!r} has no stage in the recipe, or no numbers in a '
                'metafile; add them, or list the row under missing, with the reason'
            )
    there = {row for shown, _ in here for row in shown.rows}
    there |= {result.row for _, result in numbers}
    for key, names in (('missing', table.missing), ('others', table.others)):
        for row in names:
            if row in there:
                yield (f'{table.where}: {key} lists {row!r}, which is there now; move it to rows')


def _unlisted(paper: Paper, recipe: Recipe) -> Iterator[str]:
    """Rows of the recipe that the file does not list, and ours that are no rows of it."""
    there = dict.fromkeys(row for table in recipe.tables for row in table.rows)
    listed = {row for table in paper.tables for row in (*table.rows, *table.repeated)}
    for row in there:
        if row not in listed and row not in paper.ours:
            yield (
                f'{paper.path.name}: the recipe has a row {row!r} that no table here lists; add it '
                'to rows, or to ours if the paper does not have it'
            )
    for row in paper.ours:
        if row not in there:
            yield f'{paper.path.name}: ours lists {row!r}, which the recipe does not have'
        elif row in listed:
            yield f'{paper.path.name}: ours lists {row!r}, which rows lists, too'
