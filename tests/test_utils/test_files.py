"""What long tools show: how much is done, and how long the rest takes."""

from __future__ import annotations

import io

import pytest

from mmpixcon.utils import files as progress
from mmpixcon.utils.files import Progress, track_progress


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        """bool: Always."""
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which does not pass by itself."""
    now = [100.0]
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
    return now


def test_the_time_left_follows_from_the_time_taken(clock: list[float]) -> None:
    stream = io.StringIO()
    shown = Progress('edge_boxes', 400, stream)
    for seconds, done in ((1, 10), (20, 100), (21, 110), (50, 200), (90, 400)):
        clock[0] = 100 + seconds
        shown.show(done)
    # In a log not more often than every five seconds, and at the end.
    assert stream.getvalue().splitlines() == [
        'edge_boxes: 100/400 images, 20 s, 60 s left',
        'edge_boxes: 200/400 images, 50 s, 50 s left',
        'edge_boxes: 400/400 images, 90 s, 0 s left',
    ]


def test_a_terminal_has_one_line(clock: list[float]) -> None:
    stream = Terminal()
    shown = Progress('random', 3, stream, 'boxes')
    for done in (1, 2, 3):
        clock[0] += 2
        shown.show(done)
    lines = stream.getvalue().split('\r')[1:]
    assert [line.strip() for line in lines] == [
        'random: 1/3 boxes, 2 s, 4 s left',
        'random: 2/3 boxes, 4 s, 2 s left',
        'random: 3/3 boxes, 6 s, 0 s left',
    ]
    # As long as each other, so that nothing of the last one stays.
    assert len({len(line.rstrip('\n')) for line in lines}) == 1
    assert stream.getvalue().count('\n') == 1


def test_items_are_passed_on_as_they_are_counted() -> None:
    for stream, shown in (
        (io.StringIO(), 'random: 3/3 images, 0 s, 0 s left'),
        (Terminal(), '3/3'),
    ):
        assert [*track_progress(iter('abc'), 'random', 3, stream)] == [*'abc']
        assert 'random' in stream.getvalue() and shown in stream.getvalue()
