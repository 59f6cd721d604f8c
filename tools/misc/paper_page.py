"""The page docs/rows.md."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from paper_checks import Checked
from paper_files import Group, PaperTable
from paper_runs import Run, same, show
from paper_tables import Line, Rows

INTRODUCTION = """\
# Every row of the papers' tables

<!-- Written by tools/misc/paper_rows.py from the configs, the recipes, the metafiles and
configs/papers: change them, then run the tool. -->

This page has all tables of five papers, and for each row the run that reproduces it. A run is a
stage of a [recipe](recipes.md): `python tools/run_recipe.py RECIPE --only 'STAGE'` trains it and
the stages that it starts from. The configs of both are listed beside it. **The numbers are the
papers'; we trained none of these rows.**

Below the tables of a paper are the settings that the paper or the release that it follows states:
where they are stated, their values, and the values of our runs. Ours are read from the configs,
with the options of the stage. `make lint` fails if a value differs without a reason, or if a reason
is no longer needed.

The last column of a row says "as stated" if all settings of its runs are. Otherwise it has the
numbers of the differences, which are explained at the end of the paper's section. Settings that
neither a paper nor a release states are not listed; the pages of the [methods](methods/index.md)
describe our choices.
"""


def written(papers: Sequence[tuple[Rows, Sequence[Checked]]], folder: Path) -> str:
    """Write the page.

    Args:
        papers (Sequence): Rows and checked settings of each paper.
        folder (Path): folder of the page; links are relative to it.

    Returns:
        str: Markdown.
    """
    pages = [_Page(rows, checked, folder) for rows, checked in papers]
    overview = _table(
        ['paper', 'runs of its rows', 'missing', 'settings', 'as stated', 'differences'],
        [page.summary for page in pages],
    )
    return '\n'.join([INTRODUCTION, *overview, *(line for page in pages for line in page.lines())])


class _Page:
    """The section of a paper.

    Args:
        rows (Rows): rows of the paper.
        checked (Sequence[Checked]): settings of the paper.
        folder (Path): folder of the page.
    """

    def __init__(self, rows: Rows, checked: Sequence[Checked], folder: Path) -> None:
        self.rows, self.folder = rows, folder
        self.paper = rows.paper
        self.checked = {id(one.setting): one for one in checked}
        # What differs for each reason, which may be that of several settings.
        self.differences: dict[str, list[str]] = {}
        for one in checked:
            if one.setting.reason is not None and one.differing:
                settings = self.differences.setdefault(one.setting.reason, [])
                if one.setting.what not in settings:
                    settings.append(one.setting.what)
        self.numbers = {reason: i for i, reason in enumerate(self.differences, 1)}

    @property
    def summary(self) -> list[str]:
        """list[str]: Its line of the overview."""
        lines = [line for lines in self.rows.lines.values() for line in lines]
        missing = sum(len(table.missing) for table in self.paper.tables)
        values = [
            same(one.setting.stated, ours) for one in self.checked.values() for _, ours in one.ours
        ]
        return [
            f'[{self.paper.name}](#{_anchor(self.paper.name)})',
            str(len(lines)),
            str(missing or ''),
            str(len(self.checked)),
            f'{sum(values)} of {len(values)} values',
            str(len(self.numbers)),
        ]

    def lines(self) -> Iterator[str]:
        """Lines of the section."""
        paper = self.paper
        yield f'\n## {paper.name}\n'
        yield f'> "{paper.title}"\n'
        yield f'Recipe: `{paper.recipe}`. {paper.note}'.rstrip()
        for table in paper.tables:
            yield from self._table_lines(table)
        if paper.ours:
            yield '\nThe recipe has rows that the paper does not have:\n'
            for row, what in paper.ours.items():
                yield f'- {row}: {what}'
        yield f'\n### Settings of {paper.name}\n'
        for group in paper.groups:
            yield from self._group_lines(group)
        if self.numbers:
            yield f'### Differences of {paper.name}\n'
            for reason, number in self.numbers.items():
                settings = '; '.join(self.differences[reason])
                yield f'{number}. {settings[:1].upper()}{settings[1:]}: {reason}'

    def _table_lines(self, table: PaperTable) -> Iterator[str]:
        """Lines of a table of the paper."""
        lines = self.rows.lines[table.where]
        yield f'\n### {table.title}: {table.what}\n'
        if lines:
            metrics = list(dict.fromkeys(name for line in lines for name in line.metrics))
            datasets = len({line.dataset for line in lines} - {''}) > 1
            head = 'stage' if lines[0].stage else 'row'
            heads = [head, *(['on'] if datasets else []), 'config', *map(_short, metrics)]
            cells = [
                [
                    f'`{line.stage}`' if line.stage else line.row,
                    *([line.dataset] if datasets else []),
                    ' from '.join(self._link(run) for run in line.runs),
                    *(f'{line.metrics[m]:.1f}' if m in line.metrics else '' for m in metrics),
                    self._verdict(line),
                ]
                for line in lines
            ]
            yield from _table([*heads, 'settings'], cells)
        for row, note in table.repeated.items():
            yield f'\n{row}: {note}'
        for row, reason in table.missing.items():
            yield f'\nMissing: {row}. {reason}'
        if table.others:
            yield f'\nNot here, methods of others: {", ".join(table.others)}.'
        if table.note:
            yield f'\n{table.note}'

    def _link(self, run: Run) -> str:
        """Link to the config of a run."""
        path = os.path.relpath(run.stage.config, self.folder)
        return f'[{run.stage.config.stem}]({path})'

    def _verdict(self, line: Line) -> str:
        """Return whether the settings of a line are as stated, or which are not."""
        names = {(run.name, run.config) for run in line.runs}
        numbers = sorted(
            {
                self.numbers[one.setting.reason]
                for one in self.checked.values()
                if one.setting.reason is not None
                for run, _ in one.differing
                if (run.name, run.config) in names
            }
        )
        return ', '.join(map(str, numbers)) if numbers else 'as stated'

    def _group_lines(self, group: Group) -> Iterator[str]:
        """Lines of a group of settings."""
        checked = [self.checked[id(setting)] for setting in group.settings]
        total = len({(run.name, run.config) for one in checked for run, _ in one.ours})
        release = f'; release: {_release_link(group.release)}' if group.release else ''
        yield f'**{group.title}** ({_count(total, "run")}{release})\n'
        # Patterns of an entry with the same values share a line.
        lines: dict[tuple[str, ...], list[Checked]] = {}
        for one in checked:
            setting = one.setting
            cells = (setting.what, setting.source, show(setting.stated), self._ours(one))
            lines.setdefault((setting.where, *cells), []).append(one)
        cells = [[*key[1:], _which(same_line, total)] for key, same_line in lines.items()]
        yield from _table(['setting', 'stated in', 'stated', 'ours', 'runs'], cells)
        yield ''

    def _ours(self, one: Checked) -> str:
        """Our values of a setting, with the number of the difference."""
        values = list(dict.fromkeys(show(ours) for _, ours in one.ours))
        if one.setting.reason is None or not one.differing:
            return ' or '.join(values)
        return f'**{" or ".join(values)}** ({self.numbers[one.setting.reason]})'


def _which(checked: Sequence[Checked], total: int) -> str:
    """Tell which runs of its group a line of settings holds for."""
    count = len({(run.name, run.config) for one in checked for run, _ in one.ours})
    if count == total:
        return 'all'
    setting = checked[0].setting
    patterns = [pattern for one in checked for pattern in one.setting.of[-1]]
    if len(setting.of) == 1:
        return f'{count}, all but {_code(setting.without)}'
    return f'{count}, {_code(patterns)}'


def _code(patterns: Sequence[str]) -> str:
    """Patterns as code, without a folder that says nothing."""
    return ', '.join(f'`{pattern.removeprefix("*/")}`' for pattern in patterns)


def _release_link(release: str) -> str:
    """A release, 'OWNER/NAME, FILE', with a link to its repository."""
    name, comma, file = release.partition(',')
    return f'[{name}](https://github.com/{name}){comma}{file}'


def _table(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    rows = [heads, ['---'] * len(heads), *cells]
    return [re.sub(' +', ' ', f'| {" | ".join(row)} |') for row in rows]


def _short(metric: str) -> str:
    """Name of a metric in the head of a column: 'AP50' of 'box AP50'."""
    return metric.removeprefix('box ')


def _count(number: int, what: str) -> str:
    """'1 run', '2 runs'."""
    return f'{number} {what}' if number == 1 else f'{number} {what}s'


def _anchor(heading: str) -> str:
    """The anchor that GitHub and the site give a heading."""
    return re.sub(r'[^\w -]', '', heading.lower()).replace(' ', '-')
