"""The papers' numbers, which stand in the metafiles of the configs and nowhere else.

A result of a metafile that is a paper's has ``Paper``, a key of this project that model-index and
mim pass over::

    - Task: Object Detection
      Dataset: COCO
      Metrics: {box AP (paper): 44.1}
      Paper: {Name: PixCon, Table: 1, Row: DN-DETR, Column: ...}

``Row`` and ``Column`` are those of a recipe's table; without ``Column`` it is the only one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from .launch import tools_folder
from .metrics import metric_label

MARK = ' (paper)'
# libyaml's is ten times as fast, but PyYAML can be built without it.
LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)


@dataclass(frozen=True)
class PaperResult:
    """A row of a paper's table.

    Attributes:
        paper (str): Name of the paper.
        tables (tuple[str, ...]): Tables that it stands in, such as '1' or '3 (a)'.
        dataset (str): Data set, with what is special about the evaluation.
        row (str): Name of the row in a recipe.
        column (str, optional): Name of the column in a recipe. None if there is only one.
        metrics (dict[str, float]): Numbers by the names of a leaderboard: 'box AP', ...
    """

    paper: str
    tables: tuple[str, ...]
    dataset: str
    row: str
    column: str | None
    metrics: Mapping[str, float]

    def stands_in(self, table: str) -> bool:
        """Return whether it stands in a table; '3' is all parts of it, '3 (a)' one."""
        return any(t == table or t.startswith(f'{table} (') for t in self.tables)


def read_models(methods_only: bool = False) -> list[dict[str, Any]]:
    """Read the models of the metafiles of the shipped configs.

    Args:
        methods_only (bool): Leave out detectors that no method of a paper is around.
            Defaults to False.

    Returns:
        list[dict]: Entries of ``Models``, folder by folder.
    """
    models = []
    for path in sorted((tools_folder().parent / 'configs').glob('*/metafile.yml')):
        metafile = yaml.load(path.read_text(), LOADER)
        if not methods_only or all('Paper' in entry for entry in metafile['Collections']):
            models += metafile['Models']
    return models


@lru_cache(maxsize=1)
def paper_results() -> tuple[PaperResult, ...]:
    """Read all numbers of papers in the metafiles of the shipped configs."""
    results = []
    for model in read_models():
        for result in model.get('Results') or ():
            source = result.get('Paper')
            if source is None:
                continue
            tables = source['Table'] if isinstance(source['Table'], list) else [source['Table']]
            results.append(
                PaperResult(
                    paper=source['Name'],
                    tables=tuple(map(str, tables)),
                    dataset=result['Dataset'],
                    row=source['Row'],
                    column=source.get('Column'),
                    metrics={k.removesuffix(MARK): v for k, v in result['Metrics'].items()},
                )
            )
    return tuple(results)


def numbers_of(
    source: Mapping[str, Any], columns: Sequence[str], metrics: Mapping[str, str], where: str
) -> dict[str, dict[str, dict[str, float]]]:
    """Numbers of a paper for a recipe's table.

    Args:
        source (Mapping[str, Any]): ``name`` of the paper; ``table``, or several; and where they
            hold more than the recipe's does, ``dataset``.
        columns (Sequence[str]): Columns of the recipe's table.
        metrics (Mapping[str, str]): Names in the table, and in the log.
        where (str): Place in the recipe, for errors.

    Returns:
        dict: Numbers by row, column and metric.

    Raises:
        ValueError: A key is unknown, there are no such numbers, or one has no column.
    """
    unknown = set(source) - {'name', 'table', 'dataset'}
    if unknown or not {'name', 'table'} <= set(source):
        raise ValueError(
            f"{where}.paper = {dict(source)}: write paper=dict(name='PAPER', table=1), with "
            "dataset='NAME' where the table has several, or the numbers as ROW, COLUMN, METRIC"
        )
    tables = source['table'] if isinstance(source['table'], (list, tuple)) else [source['table']]
    labels = {name: metric_label(logged) for name, logged in metrics.items()}
    numbers: dict[str, dict[str, dict[str, float]]] = {}
    for result in paper_results():
        if result.paper != source['name'] or not any(result.stands_in(str(t)) for t in tables):
            continue
        if source.get('dataset', result.dataset) != result.dataset:
            continue
        column = result.column
        if column is None:
            if len(columns) > 1:
                raise ValueError(
                    f'{where}.paper: {result.row!r} of the metafile has no Column, and the table '
                    f'has {", ".join(map(repr, columns))}'
                )
            column = columns[0]
        numbers.setdefault(result.row, {})[column] = {
            name: result.metrics[label] for name, label in labels.items() if label in result.metrics
        }
    if not numbers:
        raise ValueError(
            f'{where}.paper = {dict(source)}: no metafile has numbers of it; papers are '
            f'{", ".join(sorted({result.paper for result in paper_results()}))}'
        )
    return numbers
