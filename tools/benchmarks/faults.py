r"""Kills trainings of each method at random moments, and compares what they end with.

    python tools/benchmarks/faults.py
    python tools/benchmarks/faults.py --methods PixCon DetCo --runs 50

Each run is a training of some seconds by tools/train.py, which is killed once or twice and then
goes on with --resume. In turn it is killed at a random time (SIGKILL, with its workers), in one of
the moments around its files (a checkpoint half written; before and after it, or the pointer to it,
takes its name; before and after an older one is removed), and told to end (SIGTERM, SIGINT). Runs
count epochs and iterations in turn; every fifth one loads data with a worker process, and is
killed, since what a worker draws is repeated from the beginning of an epoch only.

Lost: --resume found less than was saved, the best checkpoint is missing, or the status after a
signal is not 143 or 130. Exact: weights, state of the optimizer, schedules and random states at
the end are those of a run that was left alone, bit for bit. The status is 1 if a run is neither.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import mmpixcon  # noqa: F401  (registers)
from fault_runs import BATCHES, Case, train, write_config, write_grid
from mmpixcon.datasets.scenes.write import write_scenes
from mmpixcon.engine.checkpoint.safe_files import find_newest_checkpoint
from mmpixcon.utils.progress import show_progress
from mmpixcon.utils.tables import format_table

# Config and images a step.
METHODS = {
    'PixCon': ('pixcon/pixcon_faster-rcnn_r18_fpn_1xb8-12e_scenes', 2),
    'DetCo': ('detco/detco_r18_1xb32-100e_scenes', 4),
    'MoCo v2': ('moco/mocov2_r18_1xb32-100e_scenes', 4),
    'PLRC': ('plrc/plrc_r18_1xb32-100e_scenes', 4),
    'Barlow Twins': ('barlow_twins/barlowtwins_r18_1xb32-100e_scenes', 4),
    'VICReg': ('vicreg/vicreg_r18_1xb32-100e_scenes', 4),
    'Siamese DETR': ('siamese_detr/siamese-detr_detr_r18_1xb8-50e_scenes', 2),
    'UP-DETR': ('updetr/updetr_detr_r18_1xb8-50e_scenes', 2),
    'DETReg': ('detreg/detreg_detr_r18_1xb8-50e_scenes', 2),
    'DN-DETR': ('dn_detr/dn-detr_r18_1xb8-12e_scenes', 2),
    'stock DETR': ('stock/detr_r18_1xb8-12e_scenes', 2),
}
COMPARED = ('state_dict', 'optimizer', 'param_schedulers', 'random_state')
STATUS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}


@dataclass
class Outcome:
    """Result of a run.

    Args:
        exact (bool): whether it ended as one that was left alone.
        lost (str): what was lost; empty for nothing.
        faults (list[str]): what happened to it.
    """

    exact: bool
    lost: str
    faults: list[str]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--methods', nargs='+', choices=list(METHODS), default=list(METHODS))
    parser.add_argument('--runs', type=int, default=10, help='of each method')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--keep', type=Path, help='folder for what failed; removed without it')
    return parser.parse_args()


def run(
    case: Case, work_dir: Path, fatal: int = 0, number: int = 0, after: float = 0.0
) -> tuple[int, float]:
    """Train in a process of its own.

    Args:
        case (Case): training.
        work_dir (Path): work folder.
        fatal (int): number of the moment in which the process kills itself. Defaults to 0, none.
        number (int): signal that it gets. Defaults to 0, none.
        after (float): seconds from the first step to the signal. Defaults to 0.

    Returns:
        tuple[int, float]: exit status, and seconds from the first step to the end.
    """
    # All of them are forked from one process that has imported everything.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['mmpixcon', 'fault_runs'])
    work_dir.mkdir(parents=True, exist_ok=True)
    ours, theirs = context.Pipe()
    process = context.Process(target=train, args=(case, work_dir, fatal, theirs))
    process.start()
    theirs.close()
    # One that dies or ends before its first step closes the pipe.
    with suppress(EOFError):
        ours.recv()
    start = time.monotonic()
    pid = process.pid
    assert pid is not None
    if number:
        process.join(after)
        with suppress(ProcessLookupError):
            (os.killpg if number == signal.SIGKILL else os.kill)(pid, number)
    process.join()
    with suppress(ProcessLookupError):
        # Workers that outlive it for a moment.
        os.killpg(pid, signal.SIGKILL)
    return process.exitcode or 0, time.monotonic() - start


class Reference:
    """A training that is left alone.

    Args:
        case (Case): training.
        work_dir (Path): work folder.

    Raises:
        RuntimeError: It failed.
    """

    def __init__(self, case: Case, work_dir: Path) -> None:
        status, self.seconds = run(case, work_dir)
        if status:
            log = Path(f'{work_dir}.log').read_text()
            raise RuntimeError(f'{case.config} ended with status {status}:\n{log[-3000:]}')
        self.case = case
        self.moments = int((work_dir / 'moments').read_text())
        self.files = {path.name for path in work_dir.glob('*.pth')}
        self.end = torch.load(work_dir / case.last, weights_only=True)


def try_faults(reference: Reference, work_dir: Path, turn: int, rng: random.Random) -> Outcome:
    """Kill a training once or twice, let it go on to its end, and compare.

    Args:
        reference (Reference): the same training, left alone.
        work_dir (Path): work folder.
        turn (int): number of the run, by which the kind of fault is chosen.
        rng (random.Random): source of moments.

    Returns:
        Outcome: result.
    """
    case = reference.case
    done = Outcome(False, '', [])
    for _ in range(rng.choice((1, 1, 2))):
        kind = turn % 3 if case.workers == 0 else turn % 2
        turn += 1
        if kind == 1:
            number, fatal, after = 0, rng.randint(1, reference.moments), 0.0
            fault = f'killed in moment {fatal} of {reference.moments}'
        else:
            number = signal.SIGKILL if kind == 0 else rng.choice((signal.SIGTERM, signal.SIGINT))
            fatal, after = 0, rng.uniform(0, reference.seconds)
            fault = f'{signal.Signals(number).name} after {after:.2f} s'
        status, _ = run(case, work_dir, fatal, number, after)
        done.faults.append(f'{fault}, status {status}')
        if number and status not in (0, STATUS[signal.Signals(number)]):
            done.lost = done.lost or f'the status was {status}'
        done.lost = done.lost or _lost(work_dir)
    status, _ = run(case, work_dir)
    if status:
        done.lost = done.lost or f'it did not go on: status {status}'
        return done
    found = {path.name for path in work_dir.glob('*.pth')}
    if missing := reference.files - found:
        done.lost = done.lost or f'missing: {", ".join(sorted(missing))}'
        return done
    end = torch.load(work_dir / case.last, weights_only=True)
    done.exact = all(equal(reference.end[name], end[name]) for name in COMPARED)
    return done


def _lost(work_dir: Path) -> str:
    """Tell whether --resume would find less than what was pointed to before."""
    ledger = work_dir / 'ledger'
    if not ledger.is_file():
        return ''
    saved = ledger.read_text().split()[-1]
    found, _ = find_newest_checkpoint(work_dir)
    if found is None or step_of(found.name) < step_of(saved):
        return f'{saved} was saved, and --resume finds {found and found.name}'
    return ''


def step_of(name: str) -> int:
    """Return the step after which a checkpoint was saved, by its name."""
    if match := re.search(r'iter_(\d+)', name):
        return int(match[1])
    match = re.fullmatch(r'epoch_(\d+)\.pth', name)
    assert match is not None, name
    return int(match[1]) * BATCHES


def equal(one: Any, other: Any) -> bool:
    """Compare parts of checkpoints bit for bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def cases_of(method: str, data: Path, folder: Path) -> list[Case]:
    """Write the trainings of a method: epochs, iterations, epochs with a worker."""
    name, batch_size = METHODS[method]
    folder.mkdir(parents=True)
    kinds = ((True, 0), (False, 0), (True, 1))
    return [write_config(name, data, folder, *kind, batch_size) for kind in kinds]


def main() -> None:
    """Run."""
    args = parse_args()
    rows, failed = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        # As processes see it: links count as other folders.
        base = Path(scratch).resolve()
        data = base / 'scenes'
        write_scenes(data, num_train=BATCHES * 4, num_val=2)
        write_grid(data)
        with show_progress('runs', len(args.methods) * args.runs, unit='runs') as advance:
            for place, method in enumerate(args.methods):
                folder = base / method.replace(' ', '_')
                cases = cases_of(method, data, folder)
                references = [Reference(c, folder / c.config.stem) for c in cases[: args.runs]]
                outcomes = []
                for turn in range(args.runs):
                    work_dir = folder / f'run_{turn}'
                    rng = random.Random(f'{args.seed} {method} {turn}')
                    reference = references[2 if turn % 5 == 2 else turn % 2]
                    outcome = try_faults(reference, work_dir, turn, rng)
                    outcomes.append(outcome)
                    advance(place * args.runs + turn + 1)
                    if outcome.lost or not outcome.exact:
                        print(
                            f'{method}, run {turn}, {reference.case.config.stem}: '
                            f'{outcome.lost or "not exact"}; {"; ".join(outcome.faults)}',
                            flush=True,
                        )
                        if args.keep:
                            shutil.copytree(work_dir, args.keep / method / work_dir.name)
                            shutil.copy(f'{work_dir}.log', args.keep / method)
                    shutil.rmtree(work_dir)
                exact = sum(outcome.exact for outcome in outcomes)
                lost = sum(bool(outcome.lost) for outcome in outcomes)
                faults = sum(len(outcome.faults) for outcome in outcomes)
                failed += lost + args.runs - exact
                rows.append([method, f'{exact} of {args.runs}', str(lost), str(faults)])
                shutil.rmtree(folder)
    print(format_table(['method', 'exact', 'lost', 'faults'], rows))
    sys.exit(int(failed > 0))


if __name__ == '__main__':
    main()
