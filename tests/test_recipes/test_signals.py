"""A recipe that is told to end tells its stages, and waits until they have saved themselves."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmpixcon.recipes import command
from mmpixcon.recipes.launch import Launch, run_logged
from mmpixcon.recipes.signals import Interrupted, passing_signals_on

STAGE = """
import signal, sys, time

def save(number, frame):
    time.sleep(0.3)
    open('saved', 'w').write(signal.Signals(number).name)
    sys.exit(143)

signal.signal(signal.SIGTERM, save)
open('ready', 'w').close()
time.sleep(60)
"""


def send_once_ready(folder: Path, number: int) -> None:
    """Send this process a signal once the stage listens."""
    deadline = time.monotonic() + 60
    while not (folder / 'ready').exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(os.getpid(), number)


@pytest.mark.parametrize('number, status', [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stages_save_themselves_before_the_end(tmp_path, monkeypatch, number, status):
    monkeypatch.chdir(tmp_path)
    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    stage = ([sys.executable, '-c', STAGE], tmp_path / 'console.log', os.environ, print)
    sender = threading.Thread(target=send_once_ready, args=(tmp_path, number))
    with (
        pytest.raises(Interrupted) as ended,
        passing_signals_on(),
        ThreadPoolExecutor(1) as pool,
    ):
        sender.start()
        pool.submit(run_logged, *stage).result()
    sender.join()
    assert ended.value.status == status
    assert (tmp_path / 'saved').read_text() == 'SIGTERM'
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == before


def test_the_program_has_the_status_of_the_signal(capsys):
    def read():
        raise Interrupted(signal.SIGTERM)

    with pytest.raises(SystemExit) as ended:
        command.run(read, Path('none'), Launch())
    assert ended.value.code == 143
    assert 'run the same command again' in capsys.readouterr().err
