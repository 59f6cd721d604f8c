"""tools/slurm_train.sh, with stand-ins for srun and scontrol."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.helpers.configs import ROOT


def run(folder: Path, status: int, job: str | None) -> tuple[int, str, str]:
    """Run the script. Gives its exit status, and what srun and scontrol were given."""
    for name, code in (('srun', status), ('scontrol', 0)):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "$@" > {folder}/{name}.txt\nexit {code}\n')
        program.chmod(0o755)
    environment = dict(os.environ, PATH=f'{folder}:{os.environ["PATH"]}', GPUS='4', GRACE='60')
    environment.pop('SLURM_JOB_ID', None)
    if job:
        environment['SLURM_JOB_ID'] = job
    script = ROOT / 'tools' / 'slurm_train.sh'
    done = subprocess.run(
        ['bash', script, 'gpus', 'name', 'config.py', 'work', '--resume'], env=environment
    )
    texts = [folder / f'{name}.txt' for name in ('srun', 'scontrol')]
    return done.returncode, *(path.read_text() if path.is_file() else '' for path in texts)


def test_the_training_is_told_before_the_time_is_up(tmp_path):
    status, srun, scontrol = run(tmp_path, 0, '7')
    assert status == 0 and not scontrol
    assert '-p gpus --job-name=name' in srun and '--ntasks=4' in srun
    assert '--signal=TERM@60' in srun and '--kill-on-bad-exit=1' in srun
    assert 'train.py config.py --work-dir=work --launcher=slurm --resume' in srun


@pytest.mark.parametrize(
    ('status', 'job', 'queued'), [(143, '7', True), (143, None, False), (1, '7', False)]
)
def test_a_job_that_was_saved_is_queued_again(tmp_path, status, job, queued):
    code, _, scontrol = run(tmp_path, status, job)
    assert code == status
    assert scontrol.strip() == ('requeue 7' if queued else '')
