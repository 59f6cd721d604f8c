"""Trainings as processes, each done once: what comparisons are made of."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from mmpixcon.visualization.curves import read_scalars

METRICS = dict(
    AP='bbox_mAP',
    AP50='bbox_mAP_50',
    AP75='bbox_mAP_75',
    AP_S='bbox_mAP_s',
    AP_M='bbox_mAP_m',
    AP_L='bbox_mAP_l',
)

# What a run reads of a config; pieces that other configs are made of do not count.
READ = {
    *inspect.signature(Runner.__init__).parameters,
    'activation_checkpointing',
    'auto_scale_lr',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
} - {'self', 'work_dir', 'cfg'}

_reading = threading.Lock()


@dataclass(frozen=True)
class Trainings:
    """Runs of ``tools/train.py`` below one folder.

    A finished run is not done again, an interrupted one resumes; both as long as
    its resolved config and options are the same.

    Args:
        tool (Path): ``tools/train.py``.
        work_dir (Path): Of all runs.
        data_root (str, optional): In place of the configs'. Defaults to None.
        jobs (int): Runs at a time, which share the cores. Defaults to 1.
    """

    tool: Path
    work_dir: Path
    data_root: str | None = None
    jobs: int = 1

    def run(
        self, name: str, config: str, seed: int, options: Sequence[str] = ()
    ) -> tuple[Path, float]:
        """Train one config with one seed, unless that was done.

        Args:
            name (str): Of the run, in its folder's name.
            config (str): Config file.
            seed (int): Of the run.
            options (Sequence[str]): ``key=value`` of ``--cfg-options``.

        Returns:
            tuple[Path, float]: Its work folder, and the minutes it took now.

        Raises:
            RuntimeError: The run failed; its log is named.
        """
        folder = name.replace(' ', '_').replace(',', '').replace('%', 'percent')
        digest = self._digest(config, options)
        work_dir = self.work_dir / folder / f'seed_{seed}_{digest}'
        done = work_dir / 'done'
        if done.is_file():
            return work_dir, 0.0
        start = time.time()
        work_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(self.tool), config, '--work-dir', str(work_dir), '--resume']
        if self.data_root:
            command += ['--data-root', self.data_root]
        command += ['--cfg-options', f'randomness.seed={seed}', *options]
        threads = str(max((os.cpu_count() or 1) // self.jobs, 1))
        log = work_dir / 'console.log'
        with log.open('a') as stream:
            code = subprocess.run(
                command,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=os.environ | dict(OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads),
            ).returncode
        if code != 0:
            raise RuntimeError(f'{name}, seed {seed}: exit code {code}; see {log}')
        done.touch()
        return work_dir, (time.time() - start) / 60

    def _digest(self, config: str, options: Sequence[str]) -> str:
        """What a run depends on, besides its seed."""
        root = [f'data_root={self.data_root}'] if self.data_root else []
        cfg = {k: v for k, v in read_config(config).to_dict().items() if k in READ}
        text = json.dumps([cfg, *options, *root], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_config(path: str | Path) -> Config:
    """Read a config; from several threads at once, too.

    mmengine reloads ``pkg_resources`` while it looks for a package's configs (``mmdet::...``), and
    a second thread then meets it half loaded.
    """
    with _reading:
        return Config.fromfile(path)


def read_metrics(work_dir: Path) -> dict[str, float]:
    """COCO's box metrics of a run's last evaluation, and its seconds a step.

    Args:
        work_dir (Path): Of the run.

    Returns:
        dict[str, float]: ``AP``, ``AP50``, ..., 0 to 1, and ``s/step``.

    Raises:
        ValueError: It was not evaluated.
    """
    records = read_scalars(work_dir)
    evaluated = [record for record in records if f'coco/{METRICS["AP"]}' in record]
    if not evaluated:
        raise ValueError(f'{work_dir}: no evaluation with coco/{METRICS["AP"]} in its log')
    metrics = {label: evaluated[-1][f'coco/{key}'] for label, key in METRICS.items()}
    steps = [record['time'] for record in records if 'time' in record and 'loss' in record]
    return metrics | {'s/step': statistics.median(steps)}


def mean_and_deviation(values: Sequence[float]) -> str:
    """``MEAN ± DEVIATION`` (n - 1) with one digit; of one value the value."""
    if len(values) == 1:
        return f'{values[0]:.1f}'
    return f'{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}'


def named_configs(entries: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=CONFIG`` of a command line.

    Raises:
        ValueError: A config file is missing, or two have the same name.
    """
    pairs = [entry.partition('=')[::2] for entry in entries]
    for name, config in pairs:
        if not config or not Path(config).is_file():
            raise ValueError(f'{name}={config}: no such config file; write NAME=CONFIG')
    if len(dict(pairs)) < len(pairs):
        raise ValueError('two configs have the same name')
    return dict(pairs)
