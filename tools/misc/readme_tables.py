r"""Writes the numbers of the tables in README pages from the metafiles of the configs.

    python tools/misc/readme_tables.py            # writes
    python tools/misc/readme_tables.py --check    # says which tables differ, and exits with 1

A number stands in one place, ``configs/*/metafile.yml``. A table of a page takes it from there if
it stands between two comments:

    <!-- table: paper PLRC; box AP, box AP50 on PASCAL VOC 07+12 -->
    | config | what | AP | AP50 |
    |---|---|---|---|
    | [plrc](plrc_r50_8xb32-200e_imagenet.py) | table 1 | 59.4 | 83.6 |
    <!-- end -->

The comment says whose numbers they are, ``paper NAME`` or ``ours``, and what the last columns
hold, in their order: metrics on a data set, as the metafile calls them, or on another one where a
model has none there (``on COCO or BDD100K``), and more of that after a semicolon. ``text`` is a
column that is written by hand, as are those before. Which models are in a row, its first cell
says: by links to their configs, by names in backticks (``plrc-p{8,32}_...`` are two), or, for what
has neither, by a comment: ``random weights <!-- NAME OF THE MODEL -->``. A new row is written with
empty cells. Cells without a number keep words such as "small ones".
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TABLE = re.compile(r'(<!-- table: (.+?) -->\n)(.*?)(<!-- end -->)', re.DOTALL)
COMMENT = re.compile(r'<!-- (.+?) -->')
LINK = re.compile(r'\]\(([^)]+\.py)\)')
CODE = re.compile(r'`([^`]+)`')
MARK = ' (paper)'
# libyaml's is ten times as fast, but PyYAML can be built without it.
LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)

# Whose, data set, metric: value.
Numbers = Mapping[tuple[str, str, str], float]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('pages', nargs='*', type=Path, help='(default: all of the checkout)')
    parser.add_argument('--check', action='store_true', help='write nothing, exit with 1')
    parser.add_argument('--configs', type=Path, default=ROOT / 'configs', help='with metafiles')
    return parser.parse_args()


def read_numbers(configs: Path) -> dict[str, Numbers]:
    """Read the numbers of every model of the metafiles.

    Where a result is the mean of several runs, each of its metrics has ``METRIC seeds`` beside it.

    Raises:
        ValueError: A model has two numbers for the same.
    """
    models: dict[str, Numbers] = {}
    for path in sorted(configs.glob('*/metafile.yml')):
        for model in yaml.load(path.read_text(), LOADER)['Models']:
            numbers = dict(models.get(model['Name'], {}))
            for result in model.get('Results') or ():
                source = f'paper {result["Paper"]["Name"]}' if 'Paper' in result else 'ours'
                metrics = result['Metrics']
                if 'Seeds' in result:
                    seeds = {f'{metric} seeds': result['Seeds'] for metric in metrics}
                    metrics = {**metrics, **seeds}
                for metric, value in metrics.items():
                    key = (source, result['Dataset'], metric.removesuffix(MARK))
                    if key in numbers:
                        raise ValueError(f'{path}: {model["Name"]} has {", ".join(key)} twice')
                    numbers[key] = value
            models[model['Name']] = numbers
    return models


def columns_of(comment: str) -> tuple[str, list[tuple[str, str] | None]]:
    """Read the comment of a table: whose numbers, and data set and metric of each column.

    Raises:
        ValueError: It has another form.
    """
    source, *groups = (part.strip() for part in comment.split(';'))
    if source != 'ours' and not source.startswith('paper '):
        raise ValueError(f"{source!r} must be 'ours' or 'paper NAME'")
    columns: list[tuple[str, str] | None] = []
    for group in groups:
        metrics, on, dataset = group.rpartition(' on ')
        if group == 'text':
            columns.append(None)
        elif on:
            columns += [(dataset, metric.strip()) for metric in metrics.split(',')]
        else:
            raise ValueError(f"{group!r} must be 'METRIC, METRIC on DATA SET', or 'text'")
    return source, columns


def expand(name: str) -> Iterator[str]:
    """Names that one with ``{a,b}`` stands for."""
    parts = re.split(r'\{([^}]*)\}', name)
    choices = [part.split(',') if i % 2 else [part] for i, part in enumerate(parts)]
    return (''.join(chosen) for chosen in product(*choices))


def models_of(cell: str, models: Mapping[str, Any]) -> list[str]:
    """Names of the models in a row, as its first cell says.

    Raises:
        ValueError: A name is that of no model.
    """
    names = COMMENT.findall(cell) or [PurePosixPath(link).stem for link in LINK.findall(cell)]
    # `..._bccd` and the like are for readers.
    codes = [] if names else [code for code in CODE.findall(cell) if '...' not in code]
    names += [name for code in codes for name in expand(code)]
    for name in names:
        if name not in models:
            raise ValueError(f'{name} is in no metafile')
    return names


def show(numbers: Numbers, source: str, datasets: str, metric: str) -> str:
    """Write a number of a model, with its deviation if it has one; '' without a number."""
    for dataset in datasets.split(' or '):
        value = numbers.get((source, dataset, metric))
        if value is not None:
            deviation = numbers.get((source, dataset, f'{metric} deviation'))
            return f'{value:.1f}' if deviation is None else f'{value:.1f} ± {deviation:.1f}'
    return ''


def filled(
    row: str,
    models: Mapping[str, Numbers],
    source: str,
    columns: Sequence[tuple[str, str] | None],
) -> str:
    """Write the numbers of a row.

    Raises:
        ValueError: It has fewer cells than the comment has columns, or names an unknown model.
    """
    cells = [cell.strip() for cell in row.strip().strip('|').split('|')]
    if len(cells) <= len(columns):
        raise ValueError(f'{row}: {len(columns)} columns and a first one are said')
    names = models_of(cells[0], models)
    for place, column in zip(range(-len(columns), 0), columns):
        if column is None:
            continue
        texts = [show(models[name], source, *column) for name in names]
        if any(texts):
            cells[place] = ', '.join(number or '-' for number in texts)
        elif any(map(str.isdigit, cells[place])):
            cells[place] = ''
    return re.sub(' +', ' ', f'| {" | ".join(cells)} |')


def written(text: str, models: Mapping[str, Numbers], where: str) -> tuple[str, list[str]]:
    """Write the tables of a page.

    Args:
        text (str): The page.
        models (Mapping): Numbers of the models by their names.
        where (str): Name of the page, for errors.

    Returns:
        tuple[str, list[str]]: The page, and which tables changed.

    Raises:
        ValueError: A comment or a row cannot be read.
    """
    changed = []

    def write(match: re.Match[str]) -> str:
        place = f'{where}:{text.count(chr(10), 0, match.start()) + 1}'
        try:
            source, columns = columns_of(match[2])
            head, line, *rows = match[3].strip('\n').split('\n')
            rows = [filled(row, models, source, columns) for row in rows]
        except ValueError as error:
            raise ValueError(f'{place}: table: {match[2]}: {error}') from None
        table = '\n'.join([head, line, *rows, ''])
        if table != match[3]:
            changed.append(f'{place}: table: {match[2]}')
        return f'{match[1]}{table}{match[4]}'

    return TABLE.sub(write, text), changed


def main() -> None:
    """Write or check all pages."""
    args = parse_args()
    pages = args.pages or [
        ROOT / 'README.md',
        *sorted(ROOT.glob('configs/*/*.md')),
        *sorted(ROOT.glob('docs/**/*.md')),
    ]
    try:
        models = read_numbers(args.configs)
        differing = []
        for page in pages:
            name = str(page.relative_to(ROOT) if page.is_relative_to(ROOT) else page)
            text, changed = written(page.read_text(), models, name)
            differing += changed
            if changed and not args.check:
                page.write_text(text)
    except ValueError as error:
        raise SystemExit(f'readme_tables: {error}') from None
    if differing:
        print('\n'.join(differing))
    if differing and args.check:
        raise SystemExit(
            'These tables have other numbers than configs/*/metafile.yml: change them there, then '
            'run python tools/misc/readme_tables.py'
        )


if __name__ == '__main__':
    main()
