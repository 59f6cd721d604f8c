"""Signals to end, passed on to the processes of a recipe, which save themselves."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_children: set[subprocess.Popen] = set()


class Interrupted(KeyboardInterrupt):
    """The program was told to end.

    Attributes:
        status (int): exit status of shells for the signal: 143 or 130.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextmanager
def told_to_end(process: subprocess.Popen) -> Iterator[None]:
    """Let a process be told to end when this one is.

    Args:
        process (subprocess.Popen): process that is running.
    """
    _children.add(process)
    try:
        yield
    finally:
        _children.discard(process)


@contextmanager
def passing_signals_on() -> Iterator[None]:
    """Tell the processes that run to end when this one is told to, and then end.

    Raises:
        Interrupted: A signal came. A second one is passed on as well: trainings end at once then.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python lets no other thread handle signals.
        yield
        return
    received: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for process in tuple(_children):
            process.terminate()
        if len(received) == 1:
            raise Interrupted(number)

    before = {number: signal.signal(number, pass_on) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
