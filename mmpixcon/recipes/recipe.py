"""Recipes: stages, which initializes which, and what is compared."""

from __future__ import annotations

import ast
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmpixcon.apis.config import merge_options

from .launch import tools_folder
from .papers import numbers_of

RUNS = ('train', 'test')
_reading = threading.Lock()
STAGE_KEYS = {
    'config',
    'run',
    'init',
    'checkpoint',
    'options',
    'percent',
    'seeds',
    'data',
    'normalize_as',
}
TABLE_KEYS = {'rows', 'metrics', 'title', 'paper'}
RECIPE_KEYS = {'stages', 'tables', 'seeds', 'data', 'options'}


def read_config(path: str | Path, may_import: bool = False) -> Config:
    """Read a config; from several threads at once, too.

    mmengine reloads ``pkg_resources`` while it looks for a package's configs (``mmdet::...``), and
    a second thread then meets it half loaded.

    Args:
        path (str | Path): Path of the file.
        may_import (bool): Whether it may import from packages and have ``_base_`` as well, which
            mmengine takes for a config of its other kind. Defaults to False.
    """
    with _reading:
        return Config.fromfile(path, lazy_import=False if may_import else None)


@dataclass(frozen=True)
class Stage:
    """One training or test.

    Attributes:
        name (str): name of the stage.
        config (Path): Config file.
        run (str): 'train' or 'test'.
        init (dict[str, str]): Config keys that take the last checkpoint of another stage,
            such as ``load_from`` or ``model.backbone.init_cfg.checkpoint``.
        checkpoint (str, optional): The stage whose last checkpoint is tested.
        options (dict[str, Any]): Config keys and what they become.
        percent (float, optional): Share of the labeled images to train on.
        seeds (tuple[int, ...]): Seeds to run with. A stage that builds on one without its
            seed takes that one's first.
        data (str, optional): name of the data root that is in place of the config's.
        normalize_as (str, optional): A stage whose mean and deviation of pixels are taken.
    """

    name: str
    config: Path
    seeds: tuple[int, ...]
    run: str = 'train'
    init: Mapping[str, str] = field(default_factory=dict)
    checkpoint: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    percent: float | None = None
    data: str | None = None
    normalize_as: str | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """tuple[str, ...]: Stages whose checkpoint this one starts from."""
        last = () if self.checkpoint is None else (self.checkpoint,)
        return (*dict.fromkeys(self.init.values()), *last)

    def seed_of(self, seed: int) -> int:
        """The seed of this stage that a stage of another seed builds on."""
        return seed if seed in self.seeds else self.seeds[0]


@dataclass(frozen=True)
class Table:
    """A comparison.

    Attributes:
        title (str): Above it.
        rows (dict[str, dict[str, str]]): stages of each row by the names of the columns.
            The first row is what the others are compared to.
        metrics (dict[str, str]): Names in the table, and in the log of a run.
        paper (dict[str, dict[str, dict[str, float]]]): The paper's own numbers by row,
            column and metric; they stand below ours, marked.
    """

    title: str
    rows: Mapping[str, Mapping[str, str]]
    metrics: Mapping[str, str]
    paper: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """tuple[str, ...]: Of all rows, in order."""
        return tuple(dict.fromkeys(column for row in self.rows.values() for column in row))

    @property
    def stages(self) -> set[str]:
        """set[str]: Names of all that are compared."""
        return {stage for row in self.rows.values() for stage in row.values()}


@dataclass(frozen=True)
class Recipe:
    """Stages in an order in which each comes after those it builds on.

    Attributes:
        path (Path): recipe file.
        stages (dict[str, Stage]): stages by name.
        tables (tuple[Table, ...]): Comparisons.
        data (dict[str, str]): Data roots by name.
    """

    path: Path
    stages: Mapping[str, Stage]
    tables: tuple[Table, ...]
    data: Mapping[str, str]

    def needed_for(self, names: Sequence[str]) -> set[str]:
        """Stages of some names, and all that they build on.

        Args:
            names (Sequence[str]): names of stages, or patterns as a shell has them: ``VICReg*``.

        Returns:
            set[str]: Names of stages.

        Raises:
            ValueError: A name or pattern is that of no stage.
        """
        needed: set[str] = set()
        waiting: list[str] = []
        for name in names:
            # A name may have the characters of a pattern.
            matches = [s for s in self.stages if s == name or fnmatchcase(s, name)]
            if not matches:
                _known(name, self.stages, f'{self.path}: --only has')
            waiting += matches
        while waiting:
            stage = waiting.pop()
            if stage not in needed:
                needed.add(stage)
                waiting += self.stages[stage].sources
        return needed


def find_recipe(path: str | Path) -> Path:
    """A recipe's file; one that mmpixcon ships also by its name, from any folder.

    Raises:
        FileNotFoundError: There is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    shipped = tools_folder().parent / 'configs' / 'recipes'
    names = [file.name for file in sorted(shipped.glob('*.py')) if file.stem != 'paths']
    if path.with_suffix('.py').name in names and path.parent == Path():
        return shipped / path.with_suffix('.py')
    raise FileNotFoundError(f'recipe {path} does not exist; {shipped} has {", ".join(names)}')


def read_recipe(
    path: str | Path,
    data: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    seeds: Sequence[int] | None = None,
) -> Recipe:
    """Read and check a recipe.

    Args:
        path (str | Path): path or name of a recipe, as in :func:`find_recipe`; a config file with
            ``stages``, and ``tables``, ``seeds``, ``data`` and ``options`` (of all stages) where it
            wants them.
        data (Mapping[str, str], optional): Data roots in place of the recipe's.
        options (Mapping[str, Any], optional): settings of all stages, in place of the recipe's.
        seeds (Sequence[int], optional): In place of the recipe's; of stages with seeds of
            their own, those that they have.

    Returns:
        Recipe: The stages sorted.

    Raises:
        FileNotFoundError: The recipe or a config is missing.
        ValueError: A key or a stage is unknown, stages form a cycle, or a value is no good.
    """
    path = find_recipe(path)
    _refuse_loop_keys(path)
    cfg = read_config(path, may_import=True)
    content = {key: cfg[key] for key in RECIPE_KEYS if key in cfg}
    if not content.get('stages'):
        raise ValueError(f'{path}: a recipe has stages, dict(NAME=dict(config=...), ...)')
    roots = {**content.get('data', {}), **(data or {})}
    default_seeds = tuple(seeds or content.get('seeds') or (0,))
    shared = _dotted(content.get('options', {}))
    stages = {
        name: _stage(
            name, dict(values), path, default_seeds, (shared, options or {}), roots, bool(seeds)
        )
        for name, values in content['stages'].items()
    }
    graph = {}
    for name, stage in stages.items():
        sources = [*stage.sources, *([stage.normalize_as] if stage.normalize_as else [])]
        for source in sources:
            _known(source, stages, f'{path}: stages.{name} builds on')
        graph[name] = stage.sources
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ValueError(
            f'{path}: stages build on each other in a cycle, {" <- ".join(error.args[1])}; take '
            'one of their init away'
        ) from None
    # As written, wherever that is an order.
    position = {name: i for i, name in enumerate(stages)}
    depth = {name: 0 for name in stages}
    for name in order:
        depth[name] = max((depth[source] + 1 for source in graph[name]), default=0)
    order = sorted(stages, key=lambda name: (depth[name], position[name]))
    tables = tuple(
        _table(i, dict(t), path, stages) for i, t in enumerate(content.get('tables', ()))
    )
    return Recipe(path, {name: stages[name] for name in order}, tables, roots)


def _refuse_loop_keys(path: Path) -> None:
    """Refuse a loop at the top of a recipe whose variable is a key: its last value would stay."""
    for statement in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(statement, ast.For):
            names = {node.id for node in ast.walk(statement.target) if isinstance(node, ast.Name)}
            for name in sorted(names & RECIPE_KEYS):
                raise ValueError(
                    f'{path}, line {statement.lineno}: the loop leaves its last {name} behind, '
                    f'and {name} is a key of recipes. Call the variable something else'
                )


def _stage(
    name: str,
    values: dict[str, Any],
    path: Path,
    seeds: tuple[int, ...],
    options: tuple[Mapping[str, Any], Mapping[str, Any]],
    roots: Mapping[str, str],
    chosen: bool,
) -> Stage:
    """Check one stage; ``options`` are those of all stages that come before and after its own."""
    where = f'{path}: stages.{name}'
    _no_others(values, STAGE_KEYS, where)
    if 'config' not in values:
        raise ValueError(f"{where} has no config; write config='../FOLDER/NAME.py'")
    config = (path.parent / values['config']).resolve()
    if not config.is_file():
        raise FileNotFoundError(f'{where}.config = {values["config"]}: {config} does not exist')
    run = values.get('run', 'train')
    if run not in RUNS:
        raise ValueError(f'{where}.run = {run!r}: choose one of {RUNS}')
    checkpoint = values.get('checkpoint')
    if (checkpoint is not None) != (run == 'test'):
        raise ValueError(
            f"{where}: run='test' and checkpoint=STAGE go together; a training starts from "
            'another stage by init=dict(load_from=STAGE)'
        )
    percent = values.get('percent')
    if percent is not None and not 0 < percent <= 100:
        raise ValueError(f'{where}.percent = {percent} must be above 0 and at most 100')
    data = values.get('data')
    if data is not None:
        _known(data, roots, f'{where}.data is')
    stage_seeds = tuple(values.get('seeds', seeds))
    if chosen:
        stage_seeds = tuple(seed for seed in stage_seeds if seed in seeds) or stage_seeds[:1]
    if not stage_seeds:
        raise ValueError(f'{where}.seeds is empty; leave it out for those of the recipe')
    return Stage(
        name=name,
        config=config,
        run=run,
        # Names of config keys have dots: in a recipe they are dict(**{'a.b': ...}).
        init=dict(values.get('init', {})),
        checkpoint=checkpoint,
        options={**options[0], **_dotted(values.get('options', {})), **options[1]},
        percent=percent,
        seeds=stage_seeds,
        data=data,
        normalize_as=values.get('normalize_as'),
    )


def _table(i: int, values: dict[str, Any], path: Path, stages: Mapping[str, Stage]) -> Table:
    """Check one table."""
    where = f'{path}: tables.{i}'
    _no_others(values, TABLE_KEYS, where)
    rows = {row: dict(by) for row, by in values.get('rows', {}).items()}
    if not rows or not values.get('metrics'):
        raise ValueError(f'{where} needs rows, dict(ROW=dict(COLUMN=STAGE)), and metrics')
    for row, by in rows.items():
        for column, stage in by.items():
            _known(stage, stages, f'{where}.rows.{row}.{column} is')
    metrics, paper = dict(values['metrics']), values.get('paper', {})
    # Numbers by row, or where they stand.
    if paper and not all(isinstance(by, Mapping) for by in paper.values()):
        columns = tuple(dict.fromkeys(column for by in rows.values() for column in by))
        paper = numbers_of(paper, columns, metrics, where)
    for row, by in paper.items():
        _known(row, rows, f'{where}.paper has')
        for column, numbers in by.items():
            for metric in numbers:
                _known(metric, metrics, f'{where}.paper.{row}.{column} has')
    return Table(values.get('title', path.stem), rows, metrics, paper)


def _no_others(values: Mapping[str, Any], known: set[str], where: str) -> None:
    """Refuse unknown keys."""
    for key in values:
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f'did you mean {near[0]}? It' if near else 'it'
            raise ValueError(f'{where} has a key {key!r}: {hint} takes {", ".join(sorted(known))}')


def _known(name: str, among: Mapping[str, Any], where: str) -> None:
    """Refuse unknown names."""
    if name not in among:
        lowered = {key.lower(): key for key in among}
        near = get_close_matches(name.lower(), lowered, 1)
        choices = f'there is {", ".join(map(repr, among))}'
        hint = f'did you mean {lowered[near[0]]!r}?' if near else choices
        raise ValueError(f'{where} {name!r}, which the recipe does not have; {hint}')


def _dotted(values: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    """Nested settings as ``--cfg-options`` names them."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat.update(_dotted(value, f'{prefix}{key}.'))
        else:
            flat[f'{prefix}{key}'] = value
    return flat


def resolved(stage: Stage) -> Config:
    """A stage's config with its options, without what other stages give it."""
    cfg = read_config(stage.config)
    merge_options(cfg, stage.options)
    return cfg
