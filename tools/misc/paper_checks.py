"""Stated settings beside ours: which differ, and whether a reason is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mmpixcon.recipes import read_recipe
from paper_files import Paper, Setting
from paper_runs import Run, Values, same, show
from paper_tables import Rows, rows_of


@dataclass(frozen=True)
class Checked:
    """A setting, and what ours is in each run that it holds for.

    Attributes:
        setting (Setting): What is stated.
        ours (tuple[tuple[Run, Any], ...]): Runs and their values.
        unresolved (tuple[str, ...]): What was wrong where there is no value.
    """

    setting: Setting
    ours: tuple[tuple[Run, Any], ...]
    unresolved: tuple[str, ...] = ()

    @property
    def differing(self) -> list[tuple[Run, Any]]:
        """list[tuple[Run, Any]]: Runs whose value is not the stated one."""
        return [(run, ours) for run, ours in self.ours if not same(self.setting.stated, ours)]

    def problems(self) -> Iterator[str]:
        """Tell what is wrong with it."""
        setting, differing = self.setting, self.differing
        yield from self.unresolved
        if not self.ours and not self.unresolved:
            yield f'{setting.where}: no run of a row is {" and ".join(map(str, setting.of))}'
        if setting.reason is None:
            # Runs of one config mostly differ alike; one line says so of all.
            names: dict[tuple[str, str], list[str]] = {}
            for run, ours in differing:
                names.setdefault((run.config, show(ours)), []).append(run.name)
            for (config, ours), of_config in names.items():
                more = f' and {len(of_config) - 1} more' if len(of_config) > 1 else ''
                yield (
                    f'{setting.where}: {config} ({of_config[0]}{more}): {setting.source} says '
                    f'{show(setting.stated)}, ours is {ours}; change the config, or give a reason'
                )
        elif len(differing) < len(self.ours):
            agreeing = sorted({run.name for run, ours in self.ours if same(setting.stated, ours)})
            yield (
                f'{setting.where}: the reason is needless, ours is {show(setting.stated)} as '
                f'stated in {", ".join(agreeing)}; take it away, or narrow of'
            )


def check_settings(
    settings: Sequence[Setting], runs: Sequence[Run], values: Values
) -> list[Checked]:
    """Resolve settings in all runs that they hold for.

    Args:
        settings (Sequence[Setting]): Settings that a paper states.
        runs (Sequence[Run]): runs of its rows.
        values (Values): Reads configs.

    Returns:
        list[Checked]: One for each setting.
    """
    return [
        _check(setting, [run for run in runs if run.has(setting)], values) for setting in settings
    ]


def _check(setting: Setting, runs: Sequence[Run], values: Values) -> Checked:
    """Resolve a setting in some runs."""
    ours, unresolved = [], []
    for run in runs:
        try:
            ours.append((run, values.value(setting, run)))
        except ValueError as error:
            unresolved.append(str(error))
    return Checked(setting, tuple(ours), tuple(unresolved))


def check_paper(paper: Paper, values: Values) -> tuple[Rows, list[Checked], list[str]]:
    """Check the rows and settings of a paper.

    Args:
        paper (Paper): file of the paper.
        values (Values): Reads configs.

    Returns:
        tuple: Rows, settings, and what is wrong.
    """
    rows = rows_of(paper, read_recipe(paper.recipe))
    checked = check_settings(paper.settings, rows.runs, values)
    problems = [*rows.problems, *(problem for one in checked for problem in one.problems())]
    for table in paper.tables:
        for line in rows.lines[table.where]:
            if not any(run.has(setting) for setting in paper.settings for run in line.runs):
                problems.append(f'{table.where}: no setting is stated for row {line.row!r}')
    return rows, checked, problems
