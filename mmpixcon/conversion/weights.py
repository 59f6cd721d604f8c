"""Tensors on their way from one layout to another, and what becomes of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from torch import Tensor


class Renaming:
    """Names of the same tensors in two layouts, read in either direction.

    Args:
        pairs (Iterable[tuple[str, str]]): names in the first and in the second layout. ``#``
            stands for a number, ``*`` for the rest of a name, in the same order in both. The first
            pair that fits a name counts.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        pairs = tuple(pairs)
        self._forward = [(_pattern(first), second) for first, second in pairs]
        self._backward = [(_pattern(second), first) for first, second in pairs]

    def translate(self, name: str) -> str | None:
        """Name in the second layout of one in the first; None if no pair fits."""
        return _translate(self._forward, name)

    def translate_back(self, name: str) -> str | None:
        """Name in the first layout of one in the second; None if no pair fits."""
        return _translate(self._backward, name)


def _pattern(name: str) -> re.Pattern:
    groups = {'#': r'(\d+)', '*': '(.+)'}
    return re.compile(''.join(groups.get(char, re.escape(char)) for char in name))


def _translate(table: list[tuple[re.Pattern, str]], name: str) -> str | None:
    for pattern, template in table:
        match = pattern.fullmatch(name)
        if match:
            return _fill(template, match.groups())
    return None


def _fill(template: str, parts: tuple[str, ...]) -> str:
    rest = iter(parts)
    return re.sub('[#*]', lambda _: next(rest), template)


class Weights:
    """Tensors by their present names.

    Args:
        tensors (Mapping[str, Tensor]): tensors as a checkpoint has them.

    Attributes:
        tensors (dict[str, Tensor]): tensors by present name.
        origins (dict[str, str]): name in the checkpoint by present name; empty if the tensor was
            computed.
        left_out (dict[str, str]): reason for leaving a tensor out, by name in the checkpoint.
        notes (list[str]): What a user of the result has to know.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = dict(tensors)
        self.origins = {name: name for name in tensors}
        self.left_out: dict[str, str] = {}
        self.notes: list[str] = []

    def has(self, *prefixes: str) -> bool:
        """Return whether a name begins with one of the prefixes."""
        return any(name.startswith(prefixes) for name in self.tensors)

    def leave_out(self, chosen: Callable[[str], bool], reason: str) -> None:
        """Leave out the tensors whose present name is chosen."""
        for name in [name for name in self.tensors if chosen(name)]:
            self.left_out[self.origins[name] or name] = reason
            del self.tensors[name], self.origins[name]

    def rename(self, new_name: Callable[[str], str]) -> None:
        """Give every tensor a new name.

        Raises:
            ValueError: Two tensors would get the same.
        """
        tensors: dict[str, Tensor] = {}
        origins: dict[str, str] = {}
        for name, tensor in self.tensors.items():
            new = new_name(name)
            if new in tensors:
                raise ValueError(f'{origins[new]} and {self.origins[name]} both become {new}')
            tensors[new], origins[new] = tensor, self.origins[name]
        self.tensors, self.origins = tensors, origins

    def rename_as(self, module: str, new_name: Callable[[str], str | None]) -> None:
        """Give every tensor a new name by a table that has all of a module.

        Args:
            module (str): name of the module, for the message.
            new_name (Callable): One of a :class:`Renaming`.

        Raises:
            ValueError: A tensor is not in the table.
        """
        names = {name: new_name(name) for name in self.tensors}
        unknown = [name for name, new in names.items() if new is None]
        if unknown:
            raise ValueError(f'it has tensors that {module} does not have: {first_names(unknown)}')
        self.rename(lambda name: names[name] or name)

    def change(self, chosen: Callable[[str], bool], change: Callable[[Tensor], Tensor]) -> None:
        """Replace the tensors whose name is chosen by others made of them."""
        for name in self.tensors:
            if chosen(name):
                self.tensors[name] = change(self.tensors[name])

    def add(self, name: str, tensor: Tensor, origin: str = '') -> None:
        """Add a tensor that is computed, or made of another one."""
        self.tensors[name], self.origins[name] = tensor, origin


def top_modules(names: Iterable[str], depth: int = 1) -> str:
    """The modules that names begin with, for messages."""
    modules = sorted({'.'.join(name.split('.')[:depth]) for name in names})
    return ', '.join(modules[:12]) + (', ...' if len(modules) > 12 else '')


def first_names(names: Iterable[str]) -> str:
    """The first names, for messages."""
    names = list(names)
    return ', '.join(names[:3]) + (f' and {len(names) - 3} more' if len(names) > 3 else '')
