"""Progress of long tools: how much is done, and how long the rest takes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

import rich.console
import rich.progress

T = TypeVar('T')

# Seconds between two lines where there is no terminal, such as in the log of a Slurm job.
INTERVAL = 5.0


@contextmanager
def show_progress(
    name: str, total: int, stream: TextIO | None = None, unit: str = 'images'
) -> Iterator[Callable[[int], None]]:
    """Show how much is done and the time left: a bar on a terminal, otherwise lines.

    Args:
        name (str): name of the work.
        total (int): number of pieces.
        stream (TextIO, optional): stream to show it on. Defaults to None, stderr.
        unit (str): name of the pieces. Defaults to 'images'.

    Yields:
        Callable[[int], None]: function to call with the number of pieces that are done.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield _Lines(name, total, stream, unit)
        return
    columns = (
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn(unit),
        rich.progress.TimeElapsedColumn(),
    )
    # What is printed meanwhile stays on its own stream.
    with rich.progress.Progress(
        *columns, console=rich.console.Console(file=stream), redirect_stdout=False
    ) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, completed=done)


def track_progress(
    items: Iterable[T], name: str, total: int, stream: TextIO | None = None, unit: str = 'images'
) -> Iterator[T]:
    """Pass items on and show how many are done, as :func:`show_progress` does.

    Args:
        items (Iterable): images, or what stands for them.
        name (str): name of the work.
        total (int): number of items.
        stream (TextIO, optional): stream to show it on. Defaults to None, stderr.
        unit (str): name of the items. Defaults to 'images'.

    Yields:
        Any: the items. One is done when the next is asked for.
    """
    with show_progress(name, total, stream, unit) as show:
        for done, item in enumerate(items, 1):
            yield item
            show(done)


class _Lines:
    """A line now and then, and one at the end."""

    def __init__(self, name: str, total: int, stream: TextIO, unit: str) -> None:
        self.name, self.total, self.stream, self.unit = name, total, stream, unit
        self.start = self.last = time.monotonic()
        self.shown = 0

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if done == self.shown or (done < self.total and now - self.last < INTERVAL):
            return
        self.last, self.shown = now, done
        elapsed = now - self.start
        left = elapsed / max(done, 1) * (self.total - done)
        self.stream.write(
            f'{self.name}: {done}/{self.total} {self.unit}, {elapsed:.0f} s, {left:.0f} s left\n'
        )
        self.stream.flush()
