"""Print what a run would read of a config, or which file sets a value.

python tools/misc/print_config.py CONFIG
python tools/misc/print_config.py CONFIG --why model.detector.backbone.depth
"""

from __future__ import annotations

import argparse
import ast
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

import mmpixcon  # noqa: F401  (registers)
from mmpixcon.apis.config import drop_unread, merge_options, place_of_key
from mmpixcon.apis.options import OptionsAction

MISSING = object()


@dataclass
class ConfigFile:
    """A config file with those that it is based on.

    Attributes:
        path (Path): file.
        values (dict[str, Any]): what it amounts to, with its bases.
        bases (list[ConfigFile]): files of its ``_base_``, in order.
    """

    path: Path
    values: Mapping[str, Any]
    bases: list[ConfigFile] = field(default_factory=list)

    @classmethod
    def read(cls, path: str | Path) -> ConfigFile:
        """Read a file and its bases."""
        path = Path(path).resolve()
        bases = [
            cls.read(Config._get_cfg_path(base, str(path))[0])
            for base in Config._get_base_files(str(path))
        ]
        return cls(path, Config.fromfile(path).to_dict(), bases)

    def value(self, key: list[str]) -> Any:
        """The value of a key, given as its parts, or MISSING."""
        node: Any = self.values
        for part in key:
            if isinstance(node, Mapping) and part in node:
                node = node[part]
            elif isinstance(node, (list, tuple)) and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
            else:
                return MISSING
        return node

    def references(self) -> Iterator[list[str]]:
        """Keys of its bases that the file reads, ``_base_.KEY``, as their parts."""
        for node in ast.walk(ast.parse(self.path.read_text())):
            parts: list[str] = []
            while isinstance(node, ast.Attribute):
                parts.insert(0, node.attr)
                node = node.value
            if parts and isinstance(node, ast.Name) and node.id == '_base_':
                yield parts

    def line(self, key: list[str]) -> int | None:
        """First line that says the last part of a key."""
        names = [part for part in key if not part.isdigit()]
        pattern = re.compile(rf'(^|[\s(,.\'"]){re.escape(names[-1])}\b')
        lines = self.path.read_text().splitlines()
        return next((i for i, text in enumerate(lines, 1) if pattern.search(text)), None)


def why(file: ConfigFile, key: list[str]) -> list[str]:
    """Say where a value comes from.

    Args:
        file (ConfigFile): config that has the value.
        key (list[str]): parts of its key.

    Returns:
        list[str]: a line for the file that sets the value, and one for each file that takes it
        over under another key.
    """
    value = file.value(key)
    for base in file.bases:
        if base.value(key) == value:
            return why(base, key)
    # Taken over from another key of a base, such as detector=_base_.model: the longest fits best.
    for reference in sorted(file.references(), key=len, reverse=True):
        for start in range(len(key)):
            source = [*reference, *key[start:]]
            for base in file.bases:
                if start and base.value(source) == value:
                    step = f'{_name(file)} takes it over from {".".join(source)}'
                    return [*why(base, source), step]
    line = file.line(key)
    return [f'{_name(file)}{f":{line}" if line else ""} sets {".".join(key)}']


def _name(file: ConfigFile) -> str:
    """A file's path, from the working directory where it lies below it."""
    relative = os.path.relpath(file.path)
    return str(file.path) if relative.startswith('..') else relative


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--why',
        metavar='KEY',
        help='a dotted key, such as optim_wrapper.optimizer.lr: print its value and which file '
        'sets it; an element of a list is named by its type or place',
    )
    parser.add_argument('--save-path', help='file to write the config to (.py, .json or .yml)')
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, help='settings to change')
    return parser.parse_args()


def main() -> None:
    """Print."""
    args = parse_args()
    if not Path(args.config).is_file():
        raise FileNotFoundError(f'Config {args.config} does not exist.')
    if args.why:
        file = ConfigFile.read(args.config)
        key = place_of_key(Config.fromfile(args.config), args.why).split('.')
        if file.value(key) is MISSING:
            raise KeyError(f'--why {args.why}: {args.config} has no such key.')
        print(f'{args.why} = {file.value(key)!r}')
        print(*(f'  {line}' for line in why(file, key)), sep='\n')
        return
    cfg = Config.fromfile(args.config)
    merge_options(cfg, args.cfg_options or {})
    drop_unread(cfg)
    print(cfg.pretty_text)
    if args.save_path:
        cfg.dump(args.save_path)


if __name__ == '__main__':
    main()
