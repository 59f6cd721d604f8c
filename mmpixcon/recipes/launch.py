"""Tools as processes: their commands under each launcher, and their progress in one line."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from mmpixcon.apis.options import as_option

from .signals import told_to_end

# Beside the package: in a checkout, or in .mim of an installed one.
PACKAGE = Path(__file__).resolve().parents[1]
LAUNCHERS = ('none', 'pytorch', 'slurm')
TRAIN_LINE = re.compile(
    r'(?:Epoch\(train\)\s+\[ *(?P<epoch>\d+)\]|Iter\(train\)\s+)'
    r'\[ *(?P<step>\d+)/ *(?P<total>\d+)\].*?eta: (?P<eta>(?:\d+ days?, )?[\d:]+)'
    r'\s+time: (?P<time>[\d.]+).*? loss: (?P<loss>[\d.]+|nan)'
)
TEST_LINE = re.compile(r'\((?:val|test)\)\s+(?:\[\d+\])?\[ *(\d+)/ *(\d+)\]')
TAIL = 15
# A training goes on when its recipe is killed by kill -9; Linux can end it along.
DIES_WITH_PARENT = """
import os, signal, sys
if sys.platform == 'linux':
    import ctypes
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
os.execvp(sys.argv[1], sys.argv[1:])
"""
# Seconds between lines where nothing can be rewritten.
QUIET = 60


@dataclass(frozen=True)
class Launch:
    """Settings of how stages are started.

    Attributes:
        launcher (str): 'none', 'pytorch' or 'slurm'.
        gpus (int): Processes of a stage, with 'pytorch'.
        partition (str): Slurm partition, with 'slurm'; GPUS and the like come from the environment.
        jobs (int): Stages at a time, which share the cores.
    """

    launcher: str = 'none'
    gpus: int = 1
    partition: str = ''
    jobs: int = 1

    def command(
        self,
        run: str,
        config: Path,
        folder: Path,
        options: Mapping[str, Any],
        checkpoint: Path | None = None,
        data_root: str | None = None,
        resume: bool = False,
    ) -> list[str]:
        """The command of a stage.

        Args:
            run (str): 'train' or 'test'.
            config (Path): Config file.
            folder (Path): Work folder.
            options (Mapping[str, Any]): Config keys and what they become.
            checkpoint (Path, optional): To test.
            data_root (str, optional): In place of the config's.
            resume (bool): Whether to go on from the last checkpoint of the folder, whatever
                ``load_from`` says. Defaults to False.
        """
        tools = tools_folder()
        rest = ['--data-root', data_root] if data_root else []
        rest += ['--resume'] if resume else []
        rest += ['--cfg-options', *(f'{key}={as_option(value)}' for key, value in options.items())]
        subject = [str(config)] if checkpoint is None else [str(config), str(checkpoint)]
        if self.launcher == 'slurm':
            script = ['bash', str(tools / f'slurm_{run}.sh'), self.partition, folder.parent.name]
            place = [str(folder)] if run == 'train' else ['--work-dir', str(folder)]
            return [*script, *subject, *place, *rest]
        place = ['--work-dir', str(folder)]
        if self.launcher == 'pytorch':
            script = ['bash', str(tools / f'dist_{run}.sh')]
            return [*script, *subject, str(self.gpus), *place, *rest]
        return [sys.executable, '-u', str(tools / f'{run}.py'), *subject, *place, *rest]

    def environment(self) -> dict[str, str]:
        """Environment of a stage: its share of the cores, and a port of its own."""
        threads = str(max((os.cpu_count() or 1) // self.jobs, 1))
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = str(free.getsockname()[1])
        names = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS')
        # Who limits one of them means both: a second thread that only waits halves two such runs.
        limit = next((os.environ[name] for name in names if name in os.environ), threads)
        limits = {name: os.environ.get(name, limit) for name in names}
        path = os.pathsep.join([str(PACKAGE.parent), *filter(None, [os.environ.get('PYTHONPATH')])])
        # Scripts start `python`: this one.
        search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get('PATH', '')])
        return os.environ | limits | dict(PORT=port, PYTHONPATH=path, PATH=search)


def tools_folder() -> Path:
    """Find the folder of train.py and its like."""
    for folder in (PACKAGE.parent / 'tools', PACKAGE / '.mim' / 'tools'):
        if (folder / 'train.py').is_file():
            return folder
    raise FileNotFoundError(
        f'mmpixcon is installed without its tools: there are none beside {PACKAGE}'
    )


def claim(folder: Path) -> TextIO:
    """Lock the work folder of a run, as long as the returned file is open in any process.

    Args:
        folder (Path): work folder of the run.

    Returns:
        TextIO: lock file. A child process that gets it holds the lock too.

    Raises:
        RuntimeError: Another process is at it.
    """
    lock = (folder / 'lock').open('a')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise RuntimeError(
            f'another process still writes to {folder}, as this recipe was started twice '
            'or killed before. Wait until it ends, or end it with `kill ID`; '
            f'`fuser {lock.name}` prints its ID'
        ) from None
    return lock


def run_logged(
    command: Sequence[str], log: Path, environment: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Run a process; its output goes to a log, its progress to a function.

    Args:
        command (Sequence[str]): command of the process.
        log (Path): Appended to.
        environment (Mapping[str, str]): environment of the process.
        say (Callable[[str], None]): Takes one short line as often as there is news.

    Nothing else runs beside that log until it ends: what is left of a killed recipe would
    write the same checkpoints.

    Raises:
        RuntimeError: It failed; has its last lines and the log's path. Or another process is at it.
    """
    with log.open('a') as file, claim(log.parent) as lock:
        process = subprocess.Popen(
            [sys.executable, '-c', DIES_WITH_PARENT, *command],
            # Locked as long as the process lives, whatever becomes of this one.
            pass_fds=(lock.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(environment),
        )
        try:
            with told_to_end(process):
                for line in process.stdout or ():
                    file.write(line)
                    file.flush()
                    if news := progress_of(line):
                        say(news)
                code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        tail = ''.join(log.read_text(errors='replace').splitlines(keepends=True)[-TAIL:])
        raise RuntimeError(f'exit code {code}; the end of {log}:\n{tail}')


def progress_of(line: str) -> str | None:
    """Read the progress from a line of mmengine's log; None for other lines."""
    if match := TRAIN_LINE.search(line):
        epoch = f'epoch {match["epoch"]}, ' if match['epoch'] else ''
        return (
            f'{epoch}step {match["step"]}/{match["total"]}, loss {float(match["loss"]):.3g}, '
            f'{float(match["time"]):.2f} s a step, {match["eta"]} left'
        )
    if match := TEST_LINE.search(line):
        return f'evaluating, {match[1]}/{match[2]} batches'
    return None


class Board:
    """One line a stage: rewritten on a terminal while it runs, else now and then.

    Args:
        total (int): Runs.
        stream (TextIO): stream that the lines are shown on.
    """

    def __init__(self, total: int, stream: TextIO) -> None:
        self.total, self.stream = total, stream
        self.rewrite = stream.isatty()
        self.done = 0
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def running(self, name: str, news: str) -> None:
        """Show how far a run is."""
        with self._lock:
            if self.rewrite:
                self.stream.write(f'\r\033[K[{self.done}/{self.total}] {name}: {news}')
            elif time.monotonic() - self._last.get(name, -QUIET) >= QUIET:
                self._last[name] = time.monotonic()
                self.stream.write(f'[{self.done}/{self.total}] {name}: {news}\n')
            self.stream.flush()

    def finished(self, name: str, news: str) -> None:
        """Show that a run is done; the line stays."""
        with self._lock:
            self.done += 1
            start = '\r\033[K' if self.rewrite else ''
            self.stream.write(f'{start}[{self.done}/{self.total}] {name}: {news}\n')
            self.stream.flush()


class QuietBoard(Board):
    """A board that is silent about what was done before."""

    def finished(self, name: str, news: str) -> None:
        """Show that a run is done, unless it was before."""
        if news.startswith('done before'):
            self.done += 1
        else:
            super().finished(name, news)
