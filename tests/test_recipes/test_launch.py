"""Processes of a recipe, and what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmpixcon.recipes.launch import Launch, run_logged

# Runs `sleep` as a stage, and says when it has begun.
RECIPE = """
import os, sys
from pathlib import Path
from mmpixcon.recipes.launch import run_logged
stage = ['bash', '-c', 'echo $$ > pid; {sleep}']
run_logged(stage, Path('console.log'), os.environ, print)
"""


def killed(folder: Path, sleep: str) -> int:
    """Start a stage, kill -9 its recipe; the stage's process."""
    recipe = subprocess.Popen([sys.executable, '-c', RECIPE.format(sleep=sleep)], cwd=folder)
    deadline = time.monotonic() + 120
    while not ((folder / 'pid').is_file() and (folder / 'pid').read_text().strip()):
        assert time.monotonic() < deadline and recipe.poll() is None
        time.sleep(0.05)
    recipe.send_signal(signal.SIGKILL)
    recipe.wait()
    return int((folder / 'pid').read_text())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='ends with its recipe on Linux only')
def test_training_ends_with_its_killed_recipe(tmp_path: Path) -> None:
    killed(tmp_path, 'exec sleep 300')
    deadline = time.monotonic() + 60
    while True:
        try:
            run_logged(['true'], tmp_path / 'console.log', os.environ, print)
            break
        except RuntimeError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.slow
def test_no_second_process_beside_one_that_is_left(tmp_path: Path) -> None:
    # As torchrun's processes, which the end of their script leaves.
    pid = killed(tmp_path, 'trap "" TERM; sleep 300')
    try:
        with pytest.raises(RuntimeError, match=r'another process still writes to .*fuser .*lock'):
            run_logged(['true'], tmp_path / 'console.log', os.environ, print)
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ('said', 'expected'),
    [
        ({}, ('4', '4')),
        (dict(OMP_NUM_THREADS='1'), ('1', '1')),
        (dict(MKL_NUM_THREADS='3'), ('3', '3')),
        (dict(OMP_NUM_THREADS='1', MKL_NUM_THREADS='2'), ('1', '2')),
    ],
)
def test_stages_share_the_cores_unless_told_otherwise(
    said: dict[str, str], expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS')
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, 'cpu_count', lambda: 8)
    environment = Launch(jobs=2).environment()
    assert tuple(environment[name] for name in names) == expected
