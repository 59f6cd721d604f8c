"""Measure how readable the configs are: python tools/misc/measure_configs.py [FOLDER]."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path
from statistics import median

from mmengine.config import Config

import mmpixcon  # noqa: F401  (registers)
from mmpixcon.apis.config import INFORMATION_KEYS, RUNNER_KEYS, drop_unread

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
# A key such as 'custom_hooks.1.whole'; 'downsample.1' is the name of a module.
PLACE_IN_KEY = re.compile(r'(hooks|pipeline|param_scheduler|transforms|views|datasets)\.\d')


def files_of(path: str) -> set[str]:
    """Files that a config is read from, itself included."""
    bases = (Config._get_cfg_path(base, path)[0] for base in Config._get_base_files(path))
    return {path}.union(*map(files_of, bases))


def positions(path: Path) -> list[str]:
    """Places where a config file reaches into a list by position."""
    hits = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript):
            index = node.slice.operand if isinstance(node.slice, ast.UnaryOp) else node.slice
            number = isinstance(index, ast.Constant) and isinstance(index.value, int)
            if number or isinstance(index, ast.Slice):
                hits.append(f'{path}:{node.lineno}')
        elif isinstance(node, ast.Constant) and PLACE_IN_KEY.search(str(node.value)):
            hits.append(f'{path}:{node.lineno}')
    return hits


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?', type=Path, default=CONFIGS, help='folder of configs')
    parser.add_argument('--list', action='store_true', help='list positional references')
    folder, listed = vars(parser.parse_args()).values()
    paths = sorted(folder.rglob('*.py'))
    runnable = [path for path in paths if not {'_base_', 'recipes'} & {*path.parts}]
    counts: dict[str, list[int]] = {'files read': [], 'keys that no run reads': [], 'in a dump': []}
    small: list[int] = []
    skipped = 0
    for path in runnable:
        try:
            cfg = Config.fromfile(path)
            files = len(files_of(str(path.resolve())))
        # A config on another project's, which is not installed.
        except ModuleNotFoundError:
            skipped += 1
            continue
        counts['files read'].append(files)
        if '_r18_' in path.name:
            small.append(files)
        unread = {*cfg} - RUNNER_KEYS - INFORMATION_KEYS
        counts['keys that no run reads'].append(len(unread))
        drop_unread(cfg)
        counts['in a dump'].append(len({*cfg} - RUNNER_KEYS - INFORMATION_KEYS))
    hits = [hit for path in paths for hit in positions(path)]
    lines = sum(len(path.read_text().splitlines()) for path in paths)
    print(f'{len(runnable)} configs ({skipped} skipped), {len(paths)} files, {lines} lines')
    counts['files read, small configs'] = small
    for name, values in counts.items():
        print(f'{name:<28} median {median(values):g}, max {max(values)}')
    print(f'{"positional references":<28} {len(hits)}')
    if listed:
        print(*hits, sep='\n')


if __name__ == '__main__':
    main()
