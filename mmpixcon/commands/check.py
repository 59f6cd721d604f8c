"""``mmpixcon check``: look at photos and labels before a training does."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mmpixcon.datasets.checks.files import SAMPLE
from mmpixcon.datasets.checks.problems import describe as describe_problems
from mmpixcon.datasets.checks.sources import find_sources
from mmpixcon.datasets.checks.splits import Checked, check_source, compare_splits, resized_areas
from mmpixcon.utils.files import replace_file
from mmpixcon.utils.tables import format_table
from mmpixcon.visualization.labels import draw_class_counts, draw_labels, draw_sizes

#: Exit status where a training must not begin.
FATAL = 1
#: Exit status where there is nothing that could be checked.
UNREADABLE = 2


def check(
    data: Annotated[Path, typer.Argument(help='folder of photos and labels, or a label file')],
    images: Annotated[
        Path | None, typer.Option(help='image folder of a label file, if it is not found')
    ] = None,
    every_file: Annotated[
        bool, typer.Option('--all', help=f'read every photo, not {SAMPLE} of each split')
    ] = False,
    masks: Annotated[bool, typer.Option(help='also check the masks')] = False,
    input_size: Annotated[
        str, typer.Option(help='WIDTHxHEIGHT that a detector resizes photos to fit into')
    ] = '1333x800',
    out: Annotated[
        Path | None, typer.Option(help='folder for pictures [default: work_dirs/check/NAME]')
    ] = None,
    as_json: Annotated[
        bool, typer.Option('--json', help='print the report as JSON, and nothing else')
    ] = False,
) -> None:
    """Look for what would make a training wrong, and show what the data are.

    Reads COCO, YOLO, PASCAL VOC, Labelme and CVAT. Ends with status 0 if a training can begin, 1
    if it must not, and 2 if there is nothing to read.

    Example: mmpixcon check examples/bccd
    """
    match = re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', input_size)
    if not match:
        raise typer.BadParameter(f'{input_size!r} is not WIDTHxHEIGHT', param_hint='--input-size')
    size = int(match[1]), int(match[2])
    try:
        splits = [
            check_source(source, None if every_file else SAMPLE, size, masks)
            for source in find_sources(data, images)
        ]
    except (OSError, ValueError) as error:
        typer.echo(f'mmpixcon check: {error}', err=True)
        raise typer.Exit(UNREADABLE) from None
    compare_splits(splits)
    fatal = any(split.report.fatal for split in splits)
    if as_json:
        typer.echo(json.dumps([split.report.as_dict() for split in splits], indent=2))
        raise typer.Exit(FATAL if fatal else 0)
    out = out or Path('work_dirs') / 'check' / data.resolve().stem
    typer.echo(describe(splits, size))
    page = write_page(splits, size, out)
    if fatal:
        typer.echo('\nA training must not begin with these data: see the fatal problems.')
    else:
        typer.echo('\nA training can begin with these data.')
    typer.echo(f'Photos with their labels, classes and sizes: {page}')
    raise typer.Exit(FATAL if fatal else 0)


def describe(splits: Sequence[Checked], size: tuple[int, int]) -> str:
    """Write what the data are and what is wrong with them.

    Args:
        splits (Sequence[Checked]): splits.
        size (tuple[int, int]): width and height that photos are resized to fit into.

    Returns:
        str: tables and problems.
    """
    first = splits[0].source
    columns = [split.source.split for split in splits]
    rows = [
        (name, *(split.report.numbers.get(name, '') for split in splits))
        for name in dict.fromkeys(key for split in splits for key in split.report.numbers)
    ]
    classes = dict.fromkeys(name for split in splits for name in split.report.classes)
    parts = [
        f'{first.format} labels, photos fit into {size[0]} x {size[1]} pixels',
        format_table(('', *columns), rows),
        format_table(
            ('class', *columns),
            [(name, *(s.report.classes.get(name, '-') for s in splits)) for name in classes],
        ),
    ]
    for split in splits:
        if split.report.problems:
            parts.append(f'{split.source.split}: {describe_problems(split.report)}')
    if not any(split.report.problems for split in splits):
        parts.append('No problems.')
    return '\n\n'.join(parts)


def write_page(splits: Sequence[Checked], size: tuple[int, int], out: Path) -> Path:
    """Write pictures and a page that shows them beside the tables.

    Args:
        splits (Sequence[Checked]): splits.
        size (tuple[int, int]): width and height that photos are resized to fit into.
        out (Path): folder, made if it is missing.

    Returns:
        Path: HTML page.
    """
    out.mkdir(parents=True, exist_ok=True)
    good = [split for split in splits if not split.report.fatal]
    pictures = {}
    for split in good:
        name = f'{split.source.split}.png'
        draw_labels(split.content, split.source.images).savefig(out / name, dpi=80)
        pictures[f'Photos and labels, {split.source.split}'] = name
    counts = {split.source.split: split.report.classes for split in splits}
    draw_class_counts(counts).savefig(out / 'classes.png', dpi=100)
    pictures['Objects of each class'] = 'classes.png'
    if good:
        areas = {split.source.split: resized_areas(split.content, size) for split in good}
        draw_sizes(areas, size).savefig(out / 'sizes.png', dpi=100)
        pictures['Sizes'] = 'sizes.png'
    text = html.escape(describe(splits, size))
    body = ''.join(
        f'<h2>{title}</h2><img src="{name}" alt="{title}" style="max-width:100%">'
        for title, name in pictures.items()
    )
    page = (
        '<!doctype html><meta charset="utf-8"><title>mmpixcon check</title>'
        '<body style="font-family:sans-serif;max-width:80em;margin:2em auto">'
        f'<h1>mmpixcon check</h1><pre>{text}</pre>{body}</body>'
    )
    replace_file(out / 'index.html', page.encode())
    return out / 'index.html'
