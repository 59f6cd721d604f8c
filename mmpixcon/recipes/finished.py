"""Finished runs, read from their work folders."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmpixcon.visualization.curves import read_scalars

from .recipe import read_config
from .state import FILE, read_state

# Metrics that are logged without their evaluator's name: mmsegmentation's.
BARE = {'aAcc', 'mAcc', 'mIoU'}


@dataclass(frozen=True)
class FinishedRun:
    """A training or test that was evaluated.

    Attributes:
        name (str): name of the stage of a recipe, else of the config.
        seed (int, optional): seed of the run.
        folder (Path): Work folder.
        config (Path): The config file: of a recipe's stage the one it names, else the one that
            the run left.
        cfg (Config): config that the run used.
        metrics (dict[str, float]): metrics of its last evaluation, as logged:
            ``coco/bbox_mAP``, ...
        minutes (float, optional): minutes that a recipe spent on it.
        cost (float, optional): Minutes with all that it starts from.
        seconds (float, optional): A training step took, the median.
        memory (float, optional): GB of GPU memory.
        percent (float, optional): Share of the labels.
    """

    name: str
    seed: int | None
    folder: Path
    config: Path
    cfg: Config
    metrics: dict[str, float]
    minutes: float | None = None
    cost: float | None = None
    seconds: float | None = None
    memory: float | None = None
    percent: float | None = None

    @property
    def dataset(self) -> str:
        """str: The data set it was evaluated on, as the config names it."""
        return self.cfg.get('dataset_name') or 'unknown: the config has no dataset_name'


def unnamed_data(runs: Iterable[FinishedRun]) -> list[str]:
    """Sentences about runs whose config does not name its data set, one a run."""
    return [
        f'{run.folder} ({run.name}) does not name the data set that it was evaluated on: write '
        "dataset_name = 'NAME' into the config there, and into the one that it came from"
        for run in runs
        if not run.cfg.get('dataset_name')
    ]


def collect(folders: Iterable[str | Path]) -> list[FinishedRun]:
    """Every evaluated run in and below folders.

    Args:
        folders (Iterable[str | Path]): Work folders, of recipes or of ``tools/train.py``.

    Returns:
        list[FinishedRun]: By name and seed. Runs that were not evaluated, or that a recipe has
        not finished, are left out.

    Raises:
        FileNotFoundError: A folder does not exist.
        ValueError: There is no evaluated run.
    """
    runs: dict[Path, FinishedRun] = {}
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise FileNotFoundError(f'work folder {folder} does not exist')
        places = {path.parent for path in folder.rglob(FILE)}
        logs = [*folder.rglob('vis_data/scalars.json'), *folder.rglob('*/*.log')]
        # WORK_DIR/TIME/vis_data/scalars.json, WORK_DIR/TIME/TIME.log
        places |= {p.parents[2] if p.suffix == '.json' else p.parents[1] for p in logs}
        for place in places:
            run = _read(place)
            if run is not None and '.changed' not in place.name:
                runs[place.resolve()] = run
    if not runs:
        raise ValueError(
            f'no evaluated run in {", ".join(map(str, folders))}: a work folder has '
            'TIME/vis_data/scalars.json with metrics in it'
        )
    return sorted(runs.values(), key=lambda run: (run.name, run.seed or 0))


def _read(folder: Path) -> FinishedRun | None:
    """A run; None if there is none, or it has no result."""
    configs = sorted(folder.glob('*.py'), key=lambda path: path.stat().st_mtime)
    state = read_state(folder) if (folder / FILE).is_file() else None
    if not configs or (state is not None and not state.finished):
        return None
    metrics = read_metrics(folder)
    if not metrics:
        return None
    cfg = read_config(configs[-1])
    steps = [r for r in _scalars(folder) if 'loss' in r]
    memory = [r['memory'] for r in steps if r.get('memory')]
    return FinishedRun(
        name=state.stage if state else configs[-1].stem,
        seed=state.seed if state else (cfg.get('randomness') or {}).get('seed'),
        folder=folder,
        config=Path(state.config) if state else configs[-1],
        cfg=cfg,
        metrics=metrics,
        minutes=state.minutes if state else None,
        seconds=statistics.median(r['time'] for r in steps) if steps else None,
        memory=max(memory) / 1024 if memory else None,
        percent=state.settings.get('percent') if state else None,
    )


def read_metrics(folder: Path) -> dict[str, float]:
    """Metrics of the last evaluation in a work folder, of a training or of a test.

    Args:
        folder (Path): Work folder.

    Returns:
        dict[str, float]: By name, such as ``coco/bbox_mAP``; empty if it was not evaluated.
    """
    records = [record for record in _scalars(folder) if 'loss' not in record]
    # A test writes TIME/TIME.json.
    tests = (path for path in folder.glob('*/*.json') if path.stem == path.parent.name)
    for path in sorted(tests):
        records += [json.loads(line) for line in path.read_text().splitlines()]
    records = [
        {k: v for k, v in record.items() if ('/' in k or k in BARE) and isinstance(v, (int, float))}
        for record in records
    ]
    return next((record for record in reversed(records) if record), {})


def _scalars(folder: Path) -> list[dict]:
    """Records of a training; none of a test."""
    try:
        return read_scalars(folder)
    except FileNotFoundError:
        return []
