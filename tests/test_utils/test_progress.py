"""What long tools show: how much is done, and how long the rest takes."""

from __future__ import annotations

import io

import pytest

from mmpixcon.utils import progress
from mmpixcon.utils.progress import show_progress, track_progress


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
    with show_progress('edge_boxes', 400, stream) as show:
        for seconds, done in ((1, 10), (20, 100), (21, 110), (50, 200), (90, 400), (99, 400)):
            clock[0] = 100 + seconds
            show(done)
    # In a log not more often than every five seconds, and once at the end.
    assert stream.getvalue().splitlines() == [
        'edge_boxes: 100/400 images, 20 s, 60 s left',
        'edge_boxes: 200/400 images, 50 s, 50 s left',
        'edge_boxes: 400/400 images, 90 s, 0 s left',
    ]


def test_an_item_is_done_when_the_next_is_asked_for(clock: list[float]) -> None:
    stream = io.StringIO()
    for _ in track_progress(range(3), 'random', 3, stream, 'boxes'):
        clock[0] += 6
    assert stream.getvalue().splitlines() == [
        'random: 1/3 boxes, 6 s, 12 s left',
        'random: 2/3 boxes, 12 s, 6 s left',
        'random: 3/3 boxes, 18 s, 0 s left',
    ]


@pytest.mark.parametrize(
    'stream, shown',
    [(io.StringIO(), 'random: 3/3 files, 0 s, 0 s left'), (Terminal(), '3/3')],
    ids=['log', 'terminal'],
)
def test_items_are_passed_on_as_they_are_counted(
    stream: io.StringIO, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, item in enumerate(track_progress(iter('abc'), 'random', 3, stream, 'files')):
        assert item == 'abc'[number]
        print(item)
    assert 'random' in stream.getvalue() and shown in stream.getvalue()
    # What a tool prints meanwhile stays where it belongs.
    assert capsys.readouterr().out == 'a\nb\nc\n'


def test_progress_is_shown_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert [*track_progress('ab', 'features', 2)] == ['a', 'b']
    assert capsys.readouterr() == ('', 'features: 2/2 images, 0 s, 0 s left\n')
