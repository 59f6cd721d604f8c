"""Settings on a command line, ``--cfg-options KEY=VALUE``."""

from __future__ import annotations

from typing import Any

from mmengine.config import DictAction

QUOTES = ('"', "'")


class OptionsAction(DictAction):
    """mmengine's ``DictAction``, which keeps spaces, and commas and numbers in quotes.

    mmengine drops the spaces of a path and cuts it at commas; a value in quotes of its own, as in
    ``"load_from='/data/a, b/last.pth'"``, is one text here.
    """

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        return parse_option(val)


def parse_option(text: str) -> Any:
    """Read the value of an option.

    Args:
        text (str): value, such as ``0.3``, ``[a,b]``, ``(640,480)`` or ``'a, b'``.

    Returns:
        Any: Number, truth value, list, tuple or text.
    """
    bare = text.strip(''.join(QUOTES))
    iterable = bare.startswith(('[', '('))
    if not iterable and len(text) > 1 and text[0] == text[-1] and text[0] in QUOTES:
        return text[1:-1]
    if not iterable and ',' not in bare:
        return DictAction._parse_int_float_bool(bare)
    return DictAction._parse_iterable(text)


def as_option(value: Any) -> str:
    """Write a value so that :func:`parse_option` reads the same.

    Args:
        value (Any): number, truth value, text, path, or list or tuple of them. Text within a list
            has no spaces, commas or brackets.
    """
    if isinstance(value, (list, tuple)):
        # Some of mmcv's transforms tell a size, (w, h), from a list of sizes by the type.
        begin, end = '()' if isinstance(value, tuple) else '[]'
        return begin + ','.join(as_option(part) for part in value) + end
    text = str(value)
    quote = QUOTES[QUOTES[0] in text]
    unlike = isinstance(value, str) and not isinstance(parse_option(text), str)
    return f'{quote}{text}{quote}' if ',' in text or unlike else text
