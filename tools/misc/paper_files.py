"""Settings of papers and releases: files of ``configs/papers``, which docs/rows.md is written from.

    paper: DetCo                  # as the metafiles call it
    title: "DetCo: ..."
    recipe: detco_tables          # whose stages are the runs
    tables:
      - table: I
        what: Mask R-CNN on 1 and 2 % of COCO
        columns: [1%, 2%]         # of the recipe's, where they are not all
        dataset: NAME             # of the metafile, where the table has several and this is one
        rows: [random weights, DetCo]         # of the recipe, in the order of the paper
        repeated: {NAME: why}     # rows of the recipe whose numbers are those of another table
        configs: {NAME: FOLDER/CONFIG}        # rows that are a config and no stage
        missing: {NAME: why}      # rows that have no stage yet
        others: [NAME]            # methods of others
        note: ...
    groups:
      - title: Pretraining
        of: [detco/*]             # runs that it holds for
        release: facebookresearch/moco, main_moco.py
        settings:
          - {what: rate, stated: 0.06, source: appendix A.4, key: optim_wrapper.optimizer.lr}
          - {what: momentum, stated: 0.9, option: --momentum, key: optim_wrapper.optimizer.momentum}

``of`` has patterns as a shell has them: of the folder and name of a config if there is a slash in
it, else of the name of a config or of a recipe's stage; ``without`` takes some out again. A
setting's narrow those of its group. ``each: {PATTERN: VALUE}`` is a setting for each pattern. A
value of ours is one of

- ``key``, dotted as in ``--cfg-options``; ``detector.`` is ``model.detector.`` or ``model.``. What
  a config leaves out is the default of its class, of ``type`` where the whole part is left out;
- ``derived``, a function of derived_values.py or derived_models.py;
- ``constant``, ``MODULE:NAME`` of the code.

``reason`` says why ours is another, and has to go when it is no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

# libyaml's is ten times as fast, but PyYAML can be built without it.
LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
OURS = ('key', 'derived', 'constant')
PAPER_KEYS = {'paper', 'title', 'recipe', 'tables', 'ours', 'groups', 'note'}
TABLE_KEYS = {
    'table',
    'what',
    'columns',
    'dataset',
    'rows',
    'repeated',
    'configs',
    'missing',
    'others',
    'note',
}
GROUP_KEYS = {'title', 'of', 'without', 'release', 'settings'}
SETTING_KEYS = {
    'what',
    'stated',
    'each',
    'source',
    'option',
    'of',
    'without',
    'type',
    'reason',
    *OURS,
}


@dataclass(frozen=True)
class Setting:
    """A setting that a paper or a release states.

    Attributes:
        where (str): File and place in it, for messages.
        what (str): What it is, in words.
        stated (Any): Stated value.
        source (str): place in the paper or the release that states it.
        of (tuple[tuple[str, ...], ...]): Patterns; a run has to match one of each tuple.
        without (tuple[str, ...]): Patterns of runs that it does not hold for.
        key (str, optional): Dotted key of our value.
        derived (str, optional): Name of the function that gives our value.
        constant (str, optional): Module and name of our value.
        type (str, optional): Class that has the default where the config has nothing.
        reason (str, optional): Why ours is another.
    """

    where: str
    what: str
    stated: Any
    source: str
    of: tuple[tuple[str, ...], ...]
    without: tuple[str, ...] = ()
    key: str | None = None
    derived: str | None = None
    constant: str | None = None
    type: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Group:
    """Settings that belong together.

    Attributes:
        title (str): Above them.
        settings (tuple[Setting, ...]): In the order of the file.
        release (str): Repository and file that options are of; '' for none.
    """

    title: str
    settings: tuple[Setting, ...]
    release: str = ''


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper, or a figure, with all its rows.

    Attributes:
        where (str): File and place in it, for messages.
        table (str): Name in the paper: '1', 'III', '3 (a)', 'figure 6', 'text'.
        what (str): What it shows.
        columns (tuple[str, ...]): Columns of the recipe that stand in it; empty for all.
        dataset (str, optional): Data set of its numbers in the metafiles. None for all.
        rows (tuple[str, ...]): Names of rows in the recipe.
        repeated (dict[str, str]): Rows whose numbers stand in another table, and why.
        configs (dict[str, str]): Configs of rows without a stage, by name.
        missing (dict[str, str]): Rows without a stage or config, and why.
        others (tuple[str, ...]): Rows that are methods of others.
        note (str): Below it.
    """

    where: str
    table: str
    what: str
    columns: tuple[str, ...] = ()
    dataset: str | None = None
    rows: tuple[str, ...] = ()
    repeated: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    note: str = ''

    @property
    def title(self) -> str:
        """str: 'Table 1', 'Figure 6', 'Section 4.4'."""
        name = self.table if self.table[:1].islower() else f'table {self.table}'
        return name[:1].upper() + name[1:]

    @property
    def is_figure(self) -> bool:
        """bool: Whether it is drawn."""
        return self.table.startswith('figure')

    def holds(self, table: str) -> bool:
        """Return whether something of a metafile's table, '3' or '3 (a)', stands in it."""
        return (
            self.table == table
            or self.table.startswith(f'{table} (')
            or table.startswith(f'{self.table} (')
        )


@dataclass(frozen=True)
class Paper:
    """A paper.

    Attributes:
        path (Path): File.
        name (str): name that the metafiles call it by.
        title (str): title of the paper.
        recipe (str): Name of the recipe of its tables.
        tables (tuple[PaperTable, ...]): All of them.
        groups (tuple[Group, ...]): Stated settings.
        ours (dict[str, str]): Rows of the recipe that the paper does not have, and what they are.
        note (str): Below the title.
    """

    path: Path
    name: str
    title: str
    recipe: str
    tables: tuple[PaperTable, ...]
    groups: tuple[Group, ...]
    ours: Mapping[str, str] = field(default_factory=dict)
    note: str = ''

    @property
    def settings(self) -> list[Setting]:
        """list[Setting]: Of all groups."""
        return [setting for group in self.groups for setting in group.settings]


def read_paper(path: Path) -> Paper:
    """Read a file of ``configs/papers``.

    Args:
        path (Path): YAML file.

    Returns:
        Paper: its tables and settings.

    Raises:
        ValueError: A key is unknown or missing; names the file and the place.
    """
    content = yaml.load(path.read_text(), LOADER)
    _check_keys(content, PAPER_KEYS, {'paper', 'title', 'recipe', 'tables', 'groups'}, path.name)
    tables = tuple(
        _read_table(values, f'{path.name}: tables.{i}')
        for i, values in enumerate(content['tables'])
    )
    groups = tuple(
        _read_group(values, f'{path.name}: groups.{i}')
        for i, values in enumerate(content['groups'])
    )
    return Paper(
        path,
        content['paper'],
        content['title'],
        content['recipe'],
        tables,
        groups,
        content.get('ours', {}),
        content.get('note', ''),
    )


def _read_table(values: Mapping[str, Any], where: str) -> PaperTable:
    """Read one table."""
    _check_keys(values, TABLE_KEYS, {'table', 'what'}, where)
    return PaperTable(
        where=f'{where} (table {values["table"]})',
        table=str(values['table']),
        what=values['what'],
        columns=tuple(map(str, values.get('columns', ()))),
        dataset=values.get('dataset'),
        rows=tuple(map(str, values.get('rows', ()))),
        repeated=values.get('repeated', {}),
        configs=values.get('configs', {}),
        missing=values.get('missing', {}),
        others=tuple(values.get('others', ())),
        note=values.get('note', ''),
    )


def _read_group(values: Mapping[str, Any], where: str) -> Group:
    """Read a group of settings."""
    _check_keys(values, GROUP_KEYS, {'title', 'of', 'settings'}, where)
    settings = [
        setting
        for i, entry in enumerate(values['settings'])
        for setting in _read_settings(entry, values, f'{where}.settings.{i}')
    ]
    return Group(values['title'], tuple(settings), values.get('release', ''))


def _read_settings(
    values: Mapping[str, Any], group: Mapping[str, Any], where: str
) -> Iterator[Setting]:
    """Read an entry of a group, one setting or one for each pattern."""
    _check_keys(values, SETTING_KEYS, {'what'}, where)
    where = f'{where} ({values["what"]})'
    if len([key for key in OURS if key in values]) != 1:
        raise ValueError(f'{where}: give one of {", ".join(OURS)}, which says what ours is')
    if ('stated' in values) == ('each' in values):
        raise ValueError(f'{where}: give stated: VALUE, or each: {{PATTERN: VALUE}}')
    if 'option' in values and 'release' not in group:
        raise ValueError(f'{where}: option is of the release that the group names; it names none')
    sources = [values['source']] if 'source' in values else []
    if 'option' in values:
        sources.append(f'release: `{values["option"]}`')
    if not sources:
        raise ValueError(f'{where}: give source, or option and the release of the group')
    of = (_patterns(group['of']), *([_patterns(values['of'])] if 'of' in values else []))
    without = (*_patterns(group.get('without', ())), *_patterns(values.get('without', ())))
    cases = values['each'].items() if 'each' in values else [(None, values['stated'])]
    for pattern, stated in cases:
        yield Setting(
            where=where,
            what=values['what'],
            stated=_numbers(stated),
            source='; '.join(sources),
            of=of if pattern is None else (*of, (pattern,)),
            without=without,
            type=values.get('type'),
            reason=values.get('reason'),
            **{key: values[key] for key in OURS if key in values},
        )


def _patterns(values: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """One pattern or several."""
    return (values,) if isinstance(values, str) else tuple(values)


def _numbers(value: Any) -> Any:
    """YAML's 1e-4 is a text; make it a number."""
    if isinstance(value, list):
        return [_numbers(part) for part in value]
    if isinstance(value, dict):
        return {key: _numbers(part) for key, part in value.items()}
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _check_keys(values: Mapping[str, Any], known: set[str], needed: set[str], where: str) -> None:
    """Refuse unknown and missing keys."""
    for key in values:
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f'did you mean {near[0]}? It' if near else 'it'
            raise ValueError(f'{where} has a key {key!r}: {hint} takes {", ".join(sorted(known))}')
    for key in sorted(needed - set(values)):
        raise ValueError(f'{where} has no {key}')
