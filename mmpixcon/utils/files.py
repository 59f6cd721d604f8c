"""What long tools show and how they write."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO, TypeVar

import rich.console
import rich.progress

T = TypeVar('T')


class Progress:
    """Counts what is done, with the time left: one line, rewritten on a terminal.

    Args:
        name (str): Of the work.
        total (int): Pieces of it.
        stream (TextIO): Where it is shown.
        unit (str): What the pieces are. Defaults to 'images'.
    """

    def __init__(self, name: str, total: int, stream: TextIO, unit: str = 'images') -> None:
        self.name, self.total, self.stream, self.unit = name, total, stream, unit
        self.rewrite = stream.isatty()
        self.interval = 0.2 if self.rewrite else 5.0
        self.start = self.last = time.monotonic()

    def show(self, done: int) -> None:
        """Print where the work is, unless that was just done."""
        now = time.monotonic()
        if done < self.total and now - self.last < self.interval:
            return
        self.last = now
        elapsed = now - self.start
        left = elapsed / max(done, 1) * (self.total - done)
        text = f'{self.name}: {done}/{self.total} {self.unit}, {elapsed:.0f} s, {left:.0f} s left'
        if self.rewrite:
            text = f'\r{text:<60}'
        self.stream.write(text if self.rewrite and done < self.total else text + '\n')
        self.stream.flush()


def track_progress(items: Iterable[T], name: str, total: int, stream: TextIO) -> Iterator[T]:
    """Show how many items are done and the time left: a bar on a terminal, otherwise lines.

    Args:
        items (Iterable): images, or what stands for them.
        name (str): name of the work.
        total (int): number of items.
        stream (TextIO): stream to show it on.

    Yields:
        Any: the items.
    """
    if not stream.isatty():
        lines = Progress(name, total, stream)
        for done, item in enumerate(items, 1):
            lines.show(done)
            yield item
        return
    columns = (
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
    )
    with rich.progress.Progress(*columns, console=rich.console.Console(file=stream)) as bar:
        yield from bar.track(items, total, description=name)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file that appears under its name only when it is whole.

    Args:
        path (Path): File, in a folder that exists; replaced if it is there.
        data (bytes): Its content.
    """
    # The process number lets two runs write the same file at the same time.
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
