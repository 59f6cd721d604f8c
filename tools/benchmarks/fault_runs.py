"""A training that dies at a chosen moment, for faults.py: its config, and its process."""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from mmpixcon.datasets.data_files import set_data_root
from mmpixcon.datasets.proposals.store import write_proposals
from mmpixcon.engine.checkpoint import safe_files
from mmpixcon.engine.hooks import InterruptionHook

ROOT = Path(__file__).resolve().parents[2]
# Batches an epoch, epochs, and steps between two checkpoints of a loop by iterations.
BATCHES, EPOCHS, INTERVAL = 3, 3, 2


@dataclass(frozen=True)
class Case:
    """Training of a method.

    Args:
        config (Path): config file that trains for some seconds.
        by_epoch (bool): whether it counts epochs, or else iterations.
        workers (int): processes that load data.
    """

    config: Path
    by_epoch: bool
    workers: int

    @property
    def last(self) -> str:
        """Name of the last checkpoint."""
        return f'epoch_{EPOCHS}.pth' if self.by_epoch else f'iter_{EPOCHS * BATCHES}.pth'


@dataclass
class Watch:
    """Moments of the writing and removing of checkpoints in this process.

    Args:
        fatal (int): number of the moment that kills the process; 0 for none.
        files (Path): folder whose files count.
    """

    fatal: int
    files: Path
    moments: int = field(default=0)

    def moment(self) -> None:
        """Count a moment, and die in it if it is the one."""
        self.moments += 1
        if self.moments == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, action: Callable[..., Any]) -> Callable[..., Any]:
        """Put moments before and after an action on a file of the folder."""

        def watched(path: Any, *args: Any, **kwargs: Any) -> Any:
            if Path(path).parent != self.files:
                return action(path, *args, **kwargs)
            self.moment()
            result = action(path, *args, **kwargs)
            self.moment()
            return result

        return watched

    def half_written(self, write: Callable[[Path, bytes], None]) -> Callable[[Path, bytes], None]:
        """Put a moment into the middle of writing a file."""

        def watched(path: Path, data: bytes) -> None:
            if self.moments + 1 == self.fatal:
                part = path.with_name(f'{path.name}.{os.getpid()}.part')
                part.write_bytes(data[: len(data) // 2])
            self.moment()
            write(path, data)

        return watched


def train(case: Case, work_dir: Path, fatal: int, pipe: Connection) -> None:
    """Train as ``tools/train.py --resume`` does; the target of a process.

    ``ledger`` in the work folder lists the checkpoints that were pointed to, ``moments`` has the
    number of moments in which the process could have been killed.

    Args:
        case (Case): training.
        work_dir (Path): work folder.
        fatal (int): number of the moment in which the process kills itself; 0 for none.
        pipe (Connection): connection that gets True once the first step is about to begin.
    """
    # Data sets collect garbage, which would walk all objects of the libraries.
    gc.freeze()
    # A group of its own, to be killed with its workers.
    os.setsid()
    log = os.open(f'{work_dir}.log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    watch = Watch(fatal, work_dir)
    safe_files.replace_file = watch.half_written(safe_files.replace_file)
    for name in ('replace', 'remove', 'unlink'):
        setattr(os, name, watch.around(getattr(os, name)))
    _keep_ledger(work_dir)
    _announce(pipe)
    # Laying out what is dumped takes longer than the training.
    sys.modules['mmengine.config.config'].FormatCode = lambda text, **options: (text, True)
    program = ROOT / 'tools' / 'train.py'
    sys.argv = [str(program), str(case.config), '--work-dir', str(work_dir), '--resume']
    sys.path.insert(0, str(program.parent))
    runpy.run_path(str(program), run_name='__main__')
    Path(work_dir, 'moments').write_text(str(watch.moments))


def _keep_ledger(work_dir: Path) -> None:
    """Note each checkpoint once it is pointed to."""
    put = safe_files.AtomicBackend.put

    def noting(self: Any, content: bytes, path: str | Path) -> None:
        put(self, content, path)
        if Path(path).name == safe_files.POINTER:
            with Path(work_dir, 'ledger').open('a') as ledger:
                ledger.write(f'{Path(content.decode()).name}\n')

    safe_files.AtomicBackend.put = noting


def _announce(pipe: Connection) -> None:
    """Tell when signals are listened to."""
    before_train = InterruptionHook.before_train

    def announcing(self: InterruptionHook, runner: Any) -> None:
        before_train(self, runner)
        pipe.send(True)

    InterruptionHook.before_train = announcing


def write_config(
    name: str, data: Path, folder: Path, by_epoch: bool, workers: int, batch_size: int
) -> Case:
    """Write the config of a training of some seconds.

    Args:
        name (str): shipped small config on the built-in scenes, below ``configs``.
        data (Path): folder of the scenes, with ``proposals``.
        folder (Path): folder to write to.
        by_epoch (bool): whether the loop counts epochs, or else iterations.
        workers (int): processes that load data.
        batch_size (int): images a step.

    Returns:
        Case: training.
    """
    cfg = Config.fromfile(ROOT / 'configs' / f'{name}.py')
    set_data_root(cfg, str(data))
    for stage in ('train', 'val', 'test'):
        loader = cfg.get(f'{stage}_dataloader')
        if loader:
            # Workers that live on keep random states that no checkpoint has.
            loader.update(num_workers=workers, persistent_workers=False)
    cfg.train_dataloader.update(batch_size=batch_size)
    cfg.train_dataloader.dataset.indices = BATCHES * batch_size
    for node in nodes(cfg.model):
        if 'Pretrained' in str(node.get('init_cfg')):
            node['init_cfg'] = None
    for node in nodes(cfg.train_dataloader):
        if str(node.get('type')).endswith('ProposalRegions'):
            node['path'] = str(data / 'proposals')
    cfg.default_hooks.logger.interval = 1
    saving = dict(interval=1, max_keep_ckpts=1)
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=EPOCHS, val_interval=1)
    if not by_epoch:
        cfg.train_cfg = dict(
            type='IterBasedTrainLoop', max_iters=EPOCHS * BATCHES, val_interval=INTERVAL
        )
        saving.update(interval=INTERVAL, by_epoch=False)
        cfg.log_processor = dict(by_epoch=False)
    if cfg.get('val_cfg') is not None:
        saving['save_best'] = 'auto'
        cfg.val_dataloader.dataset.indices = 2
    cfg.default_hooks.checkpoint.update(saving)
    cfg.randomness = dict(seed=0)
    path = folder / f'{"epochs" if by_epoch else "iterations"}_{workers}.py'
    cfg.dump(path)
    return Case(path, by_epoch, workers)


def nodes(node: Any) -> Iterator[Any]:
    """Walk the dicts of a config, the outer ones first."""
    if isinstance(node, dict):
        yield node
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, (dict, list, tuple)):
            yield from nodes(value)


def write_grid(data: Path) -> None:
    """Write object proposals for the scenes: a grid of boxes.

    Args:
        data (Path): folder of the scenes.
    """
    images = json.loads((data / 'annotations' / 'train.json').read_text())['images']
    boxes = []
    for image in images:
        x, y = np.meshgrid(
            np.arange(0, image['width'] - 30, 20), np.arange(0, image['height'] - 30, 20)
        )
        corner = np.stack([x.ravel(), y.ravel()], 1)
        boxes.append(np.concatenate([corner, corner + 30], 1))
    write_proposals(data / 'proposals', [f'train/{image["file_name"]}' for image in images], boxes)
