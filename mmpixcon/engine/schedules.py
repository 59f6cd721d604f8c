"""Schedules of values that are not an optimizer's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


class ScalarSchedule:
    """A value over training, in pieces.

    Each piece is a dict of ``start`` and ``end`` (the values), ``begin`` and
    ``stop`` (when; ``begin`` defaults to 0, or to the previous piece's
    ``stop``), ``by_epoch`` (whether they count epochs, the default, or
    iterations) and ``shape`` (``linear``, the default, or ``cosine``). Before
    the first piece its ``start`` holds, after a piece its ``end``. Epochs are
    counted in fractions, so a value moves every iteration.

    Args:
        pieces (dict | Sequence[dict]): One piece or several, in order.

    Raises:
        ValueError: A key is unknown or missing, or a piece has no length.

    Examples:
        >>> warm_up = ScalarSchedule(dict(start=0, end=1, stop=2))
        >>> [warm_up(i, epoch_length=4) for i in (0, 4, 8, 99)]
        [0.0, 0.5, 1.0, 1.0]
    """

    def __init__(self, pieces: dict | Sequence[dict]) -> None:
        pieces = [pieces] if isinstance(pieces, dict) else list(pieces)
        if not pieces:
            raise ValueError('a schedule needs at least one piece')
        self.pieces: list[dict[str, Any]] = []
        begin: Any = 0
        for piece in pieces:
            full: dict[str, Any] = dict(begin=begin, by_epoch=True, shape='linear') | dict(piece)
            unknown = set(full) - {'start', 'end', 'begin', 'stop', 'by_epoch', 'shape'}
            missing = {'start', 'end', 'stop'} - set(full)
            if unknown or missing:
                raise ValueError(
                    f'schedule {dict(piece)}: unknown keys {sorted(unknown)}, '
                    f'missing keys {sorted(missing)}'
                )
            if full['stop'] <= full['begin']:
                raise ValueError(f'schedule {dict(piece)}: stop must be after begin')
            if full['shape'] not in ('linear', 'cosine'):
                raise ValueError(f'schedule {dict(piece)}: shape must be linear or cosine')
            self.pieces.append(full)
            begin = full['stop']

    def __call__(self, iteration: int, epoch_length: int) -> float:
        """The value at an iteration.

        Args:
            iteration (int): Iterations done so far.
            epoch_length (int): Iterations of an epoch.

        Returns:
            float: The value.
        """
        value = self.pieces[0]['start']
        for piece in self.pieces:
            now = iteration / epoch_length if piece['by_epoch'] else iteration
            if now < piece['begin']:
                break
            done = min((now - piece['begin']) / (piece['stop'] - piece['begin']), 1.0)
            if piece['shape'] == 'cosine':
                done = (1 - math.cos(math.pi * done)) / 2
            value = piece['start'] + (piece['end'] - piece['start']) * done
        return float(value)
