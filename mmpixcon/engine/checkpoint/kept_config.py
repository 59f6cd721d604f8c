"""The config that a checkpoint keeps, read without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import mmcv.ops
import mmengine.registry
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.utils import import_modules_from_strings
from torch import nn

# What is built to detect.
USED = ('model', 'test_dataloader', 'val_dataloader', 'visualizer', 'vis_backends')
# mmcv evaluates the name of a suppression.
_NAME = re.compile(r'[\w./]+')


class KeptConfigError(ValueError):
    """A checkpoint keeps a config that would run code."""


def read_kept_config(text: str, source: str) -> Config:
    """Read the config of a checkpoint.

    mmengine's reader runs it as a program. What runners keep are settings alone, which are read
    here as such: numbers, strings, lists and dicts.

    Args:
        text (str): config, as a runner writes it into a checkpoint.
        source (str): checkpoint, for messages.

    Returns:
        Config: config. Modules that its ``custom_imports`` names are imported.

    Raises:
        KeptConfigError: It has more than settings, or names something to build that is not
            registered.
    """
    content: dict[str, Any] = {}
    try:
        for statement in ast.parse(text).body:
            if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
                raise _NotPlainError(statement)
            target = statement.targets[0]
            if not isinstance(target, ast.Name):
                raise _NotPlainError(statement)
            content[target.id] = _value(statement.value)
    except (SyntaxError, RecursionError, _NotPlainError) as error:
        raise KeptConfigError(
            f'{source} keeps a config that is not read, since it is more than settings ({error}), '
            'and may run code. If you trust where the file comes from, give its config: '
            '--config CONFIG.'
        ) from error
    if content.get('custom_imports'):
        import_modules_from_strings(**content['custom_imports'])
    registered = _registered()
    strangers = {
        name
        for part in USED
        for name in _types(content.get(part))
        if not _NAME.fullmatch(name) or name.rsplit('.', 1)[-1] not in registered
    }
    if strangers:
        raise KeptConfigError(
            f'{source} keeps a config of {", ".join(sorted(strangers))}, which nothing here '
            'registers, and which may run code. If they are yours, import them (custom_imports of '
            'the config); if you trust where the file comes from, give its config: --config CONFIG.'
        )
    return Config(content)


class _NotPlainError(Exception):
    """A part of a config is no setting."""

    def __init__(self, node: ast.AST) -> None:
        super().__init__(f'line {getattr(node, "lineno", "?")}: {ast.unparse(node)[:60]}')


def _value(node: ast.expr) -> Any:
    """Return what literals, and ``dict`` of keywords, stand for."""
    if isinstance(node, ast.Call):
        known = isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args
        if not known or any(keyword.arg is None for keyword in node.keywords):
            raise _NotPlainError(node)
        return {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise _NotPlainError(node)
        return {_value(key): _value(item) for key, item in zip(node.keys, node.values) if key}
    kinds = {ast.List: list, ast.Tuple: tuple, ast.Set: set}
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return kinds[type(node)](_value(item) for item in node.elts)
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise _NotPlainError(node) from error


def _types(node: Any) -> Iterator[str]:
    """Walk the names of what is to be built."""
    if isinstance(node, dict):
        if isinstance(node.get('type'), str):
            yield node['type']
        node = list(node.values())
    for value in node if isinstance(node, (list, tuple)) else ():
        yield from _types(value)


def _registered() -> set[str]:
    """Collect the names of all registries, those of other packages included."""
    waiting = [item for item in vars(mmengine.registry).values() if isinstance(item, Registry)]
    # Looked up in the module: RoIAlign, nms. Configs of classes in place of names have layers of
    # torch that are registered otherwise.
    names = {*vars(mmcv.ops), *(name for name, item in vars(nn).items() if isinstance(item, type))}
    while waiting:
        registry = waiting.pop()
        registry.import_from_location()
        names.update(registry.module_dict)
        waiting += registry.children.values()
    return names
