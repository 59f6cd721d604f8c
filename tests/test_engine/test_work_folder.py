"""A work folder belongs to one run at a time, and its checkpoints to the run that wrote them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmpixcon.engine.work_folder import (
    OccupiedError,
    begin_anew,
    is_first_process,
    lock_work_folder,
)

# Another process that holds the lock.
HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1] + '/running', 'a+')
fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
file.truncate(0)
file.write('process 7 on elsewhere, since today\\n')
file.flush()
print('held', flush=True)
time.sleep(60)
"""


def test_a_second_run_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == 'held\n'
        with pytest.raises(OccupiedError, match='in use by process 7 on elsewhere, since today'):
            lock_work_folder(tmp_path)
    finally:
        holder.kill()
        holder.wait()
    with lock_work_folder(tmp_path):
        assert (tmp_path / 'running').read_text().startswith('process ')


def test_checkpoints_of_a_run_before(tmp_path: Path) -> None:
    assert begin_anew(tmp_path, overwrite=False) is None
    for number in (1, 2):
        (tmp_path / f'epoch_{number}.pth').write_text(str(number))
        time.sleep(0.01)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    with pytest.raises(OccupiedError, match=r'such as epoch_2\.pth. --resume .*--overwrite'):
        begin_anew(tmp_path, overwrite=False)
    message = begin_anew(tmp_path, overwrite=True)
    assert message is not None and message.startswith('The 2 checkpoints of the run before')
    assert not list(tmp_path.glob('*.pth')) and not (tmp_path / 'last_checkpoint').exists()
    (aside,) = tmp_path.glob('before_*')
    assert (aside / 'epoch_2.pth').read_text() == '2'


def test_first_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'):
        monkeypatch.delenv(name, raising=False)
    assert is_first_process()
    monkeypatch.setenv('SLURM_PROCID', '1')
    assert not is_first_process()
    monkeypatch.setenv('RANK', '0')
    assert is_first_process()
