"""Runs what isn't done of a recipe."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmpixcon.apis.config import RUNNER_KEYS
from mmpixcon.datasets.data_files import iter_datasets, set_data_root
from mmpixcon.datasets.preparation.subsets import write_subsets
from mmpixcon.engine.checkpoint.safe_files import POINTER, pointed_checkpoint

from .launch import Board, Launch, claim, run_logged
from .recipe import Recipe, Stage, resolved
from .signals import passing_signals_on
from .state import (
    ChangedError,
    RunState,
    differences,
    flat,
    read_state,
    run_folder,
    slug,
)

Run = tuple[str, int]
CHANGED = ('refuse', 'rerun', 'keep')
# The last checkpoint, and the one before it, should the last turn out to be damaged.
KEPT_CHECKPOINTS = 2
# What the result of a run depends on.
READ = RUNNER_KEYS - {'work_dir'}


class Execution:
    """The runs of a recipe below one folder.

    Each stage and seed has a folder of its own, with ``stage.json``. A run whose settings are
    the same is done once and resumed if it was interrupted. Settings are the resolved
    config, the share of labels, the data root, and the settings of the runs it starts from.

    Args:
        recipe (Recipe): What to do.
        work_dir (Path): folder of all runs.
        launch (Launch): settings that the stages are started with.
        changed (str): What happens to a run whose settings are not those of its folder:
            'refuse', 'rerun' (the old folder is kept under another name) or 'keep' (the
            old result counts). Defaults to 'refuse'.
        only (Sequence[str], optional): Names or patterns of stages; nothing is done but these
            and what they build on. Defaults to None: all.

    Raises:
        ValueError: Two stages would have the same folder, or ``only`` names none.
    """

    def __init__(
        self,
        recipe: Recipe,
        work_dir: Path,
        launch: Launch,
        changed: str = 'refuse',
        only: Sequence[str] | None = None,
    ) -> None:
        self.recipe, self.work_dir = recipe, Path(work_dir)
        self.launch, self.changed = launch, changed
        self._stages = set(recipe.stages) if only is None else recipe.needed_for(only)
        folders: dict[str, str] = {}
        for name in recipe.stages:
            other = folders.setdefault(slug(name), name)
            if other != name:
                raise ValueError(
                    f'{recipe.path}: stages {other!r} and {name!r} would have the same folder, '
                    f'{slug(name)}; rename one of them'
                )
        self._settings: dict[Run, dict[str, Any]] = {}
        self._configs: dict[str, Config] = {}

    @property
    def runs(self) -> list[Run]:
        """list[Run]: Stages with their seeds; seeds outside, so that whole rows come early."""
        stages = {n: s for n, s in self.recipe.stages.items() if n in self._stages}
        seeds = dict.fromkeys(seed for stage in stages.values() for seed in stage.seeds)
        return [(n, seed) for seed in seeds for n, stage in stages.items() if seed in stage.seeds]

    def folder(self, run: Run) -> Path:
        """Work folder of a run."""
        return run_folder(self.work_dir, *run)

    def sources(self, run: Run) -> dict[str, Run]:
        """Runs that a run starts from, by the names of their stages."""
        stages = self.recipe.stages
        return {name: (name, stages[name].seed_of(run[1])) for name in stages[run[0]].sources}

    def settings(self, run: Run) -> dict[str, Any]:
        """Everything that a run depends on, dotted."""
        if run not in self._settings:
            stage = self.recipe.stages[run[0]]
            cfg = self._config(stage)
            settings = flat({k: v for k, v in cfg.to_dict().items() if k in READ})
            settings |= {k: flat(v)[''] for k, v in self._pixels(stage).items()}
            settings |= dict(run=stage.run, percent=stage.percent, data=self._root(stage))
            for name, source in self.sources(run).items():
                settings[f'starts from {name}'] = self.state(source).digest
            self._settings[run] = settings
        return self._settings[run]

    def state(self, run: Run) -> RunState:
        """A run as the recipe has it, not begun."""
        config = os.path.relpath(self.recipe.stages[run[0]].config)
        return RunState(run[0], run[1], self.settings(run), config)

    def check(self) -> dict[Run, RunState | None]:
        """Read what is there of each run; nothing is begun before all folders are known to fit.

        Raises:
            ChangedError: A folder holds a run of other settings, and ``changed`` is 'refuse'.
        """
        states = {}
        for run in self.runs:
            state = read_state(self.folder(run))
            if state is not None and state.digest != self.state(run).digest:
                if self.changed == 'refuse':
                    lines = '\n  '.join(differences(state.settings, self.settings(run)))
                    raise ChangedError(
                        f'{run[0]}, seed {run[1]}: {self.folder(run)} is a run of other settings:\n'
                        f'  {lines}\n--changed rerun trains anew and keeps the old folder under '
                        'another name, --changed keep takes the old result as it is'
                    )
                if self.changed == 'rerun':
                    state = None
            states[run] = state
        return states

    def others(self) -> list[Run]:
        """Runs of stages that were not chosen, if they have other settings than the recipe's.

        Their results are not those of the recipe; with ``changed='keep'`` they count.
        """
        runs = []
        for name, stage in self.recipe.stages.items():
            if name in self._stages or self.changed == 'keep':
                continue
            for run in ((name, seed) for seed in stage.seeds):
                state = read_state(self.folder(run))
                if state is not None and state.digest != self.state(run).digest:
                    runs.append(run)
        return runs

    def execute(self, board: Board) -> None:
        """Do what isn't done.

        Args:
            board (Board): Shows the progress.

        Raises:
            RuntimeError: A run failed; those that do not build on it are done before.
            Interrupted: The program was told to end; the stages that ran have saved themselves.
        """
        states = self.check()
        waiting = [run for run, state in states.items() if state is None or not state.finished]
        done = {run for run in states if run not in waiting}
        for run, state in states.items():
            if run in done and state is not None:
                board.finished(_title(run), f'done before, in {state.minutes:.1f} min')
        failed: dict[Run, BaseException] = {}
        running: dict[Future, Run] = {}
        # The pool waits for its stages, which save themselves.
        with passing_signals_on(), ThreadPoolExecutor(self.launch.jobs) as pool:
            try:
                while waiting or running:
                    ready = [r for r in waiting if all(s in done for s in self.sources(r).values())]
                    for run in ready[: self.launch.jobs - len(running)]:
                        waiting.remove(run)
                        running[pool.submit(self._run, run, states[run], board)] = run
                    if not running:
                        break
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        run = running.pop(future)
                        error = future.exception()
                        if error is None:
                            done.add(run)
                        else:
                            failed[run] = error
                            board.finished(_title(run), f'failed: {str(error).splitlines()[0]}')
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if failed:
            run, error = next(iter(failed.items()))
            skipped = f', and {len(waiting)} that build on them were not begun' if waiting else ''
            raise RuntimeError(
                f'{len(failed)} runs failed{skipped}. {_title(run)}: {error}'
            ) from error

    def _run(self, run: Run, before: RunState | None, board: Board) -> None:
        """Train or test once."""
        stage, folder = self.recipe.stages[run[0]], self.folder(run)
        present = read_state(folder) if before is None and folder.is_dir() else None
        if present is not None and present.digest == self.state(run).digest:
            # Another command began the same run meanwhile. Its lock tells whether it still trains.
            if present.finished:
                board.finished(_title(run), f'done meanwhile, in {present.minutes:.1f} min')
                return
            before = present
        elif present is not None:
            # Nothing is moved that another command is still at.
            claim(folder).close()
            folder.rename(_free(folder.with_name(f'{folder.name}.changed')))
        state = replace(self.state(run), minutes=before.minutes if before else 0.0)
        state.write(folder)
        board.running(_title(run), 'resumes' if before else 'begins')
        options = dict(stage.options) | self._pixels(stage) | self._kept_checkpoints(stage)
        options |= {'randomness.seed': run[1]}
        checkpoints = {name: self._checkpoint(source) for name, source in self.sources(run).items()}
        options |= {key: checkpoints[name].resolve() for key, name in stage.init.items()}
        if stage.percent is not None:
            options |= self._subset(stage, stage.percent)
        command = self.launch.command(
            stage.run,
            stage.config,
            folder,
            options,
            checkpoints[stage.checkpoint] if stage.checkpoint else None,
            self._root(stage),
            resume=stage.run == 'train'
            and ((folder / POINTER).is_file() or any(folder.glob('*.pth'))),
        )
        start = time.monotonic()
        try:
            run_logged(
                command,
                folder / 'console.log',
                self.launch.environment(),
                lambda news: board.running(_title(run), news),
            )
        finally:
            minutes = state.minutes + (time.monotonic() - start) / 60
            replace(state, minutes=minutes).write(folder)
        replace(state, minutes=minutes, finished=True).write(folder)
        board.finished(_title(run), f'done in {minutes:.1f} min')

    def _checkpoint(self, run: Run) -> Path:
        """Last checkpoint of a run that is finished."""
        checkpoint = pointed_checkpoint(self.folder(run))
        if checkpoint is None or not checkpoint.is_file():
            raise RuntimeError(
                f'{_title(run)} is finished, but its last checkpoint does not exist: '
                f'{checkpoint or self.folder(run) / POINTER}. Restore it, or remove that folder to '
                'run the stage again.'
            )
        return checkpoint

    def _root(self, stage: Stage) -> str | None:
        """Data root of a stage, where it is not the config's."""
        return None if stage.data is None else self.recipe.data[stage.data]

    def _config(self, stage: Stage) -> Config:
        """The resolved config of a stage."""
        if stage.name not in self._configs:
            self._configs[stage.name] = resolved(stage)
        return self._configs[stage.name]

    def _pixels(self, stage: Stage) -> dict[str, list[float]]:
        """Options that normalize pixels as another stage does."""
        if stage.normalize_as is None:
            return {}
        of = {}
        for name in (stage.normalize_as, stage.name):
            model = self._config(self.recipe.stages[name]).model
            # A method around a detector has the detector's.
            place = 'model.detector' if 'detector' in model else 'model'
            of[name] = model.get('detector', model).get('data_preprocessor') or {}
        source, target = of[stage.normalize_as], of[stage.name]
        return {
            f'{place}.data_preprocessor.{key}': list(source[key])
            for key in ('mean', 'std')
            if key in source and list(source[key]) != list(target.get(key, ()))
        }

    def _kept_checkpoints(self, stage: Stage) -> dict[str, int]:
        """Option that keeps few checkpoints of a training whose config keeps all of them.

        Only the last one is used. It is no setting of the run: results do not depend on it.
        """
        hook = self._config(stage).get('default_hooks', {}).get('checkpoint')
        if stage.run != 'train' or hook is None or hook.get('max_keep_ckpts', -1) > 0:
            return {}
        return {'default_hooks.checkpoint.max_keep_ckpts': KEPT_CHECKPOINTS}

    def _subset(self, stage: Stage, percent: float) -> dict[str, str]:
        """Write the share of the labeled images, and the option that takes it.

        Raises:
            ValueError: The config has no annotation file to take a share of.
        """
        cfg = Config(self._config(stage).to_dict())
        root = self._root(stage)
        if root is not None:
            set_data_root(cfg, root)
        options = {}
        for key, dataset in iter_datasets(cfg, 'train'):
            path = Path(dataset.get('data_root') or '', dataset.get('ann_file') or '')
            if path.suffix != '.json':
                raise ValueError(
                    f'stages.{stage.name}.percent: {key}.ann_file = {dataset.get("ann_file")!r} is '
                    'not a COCO file, so no share of it can be taken'
                )
            out = self.work_dir / 'subsets'
            ((written, _, _),) = write_subsets(path, out, [percent], [0])
            options[f'{key}.ann_file'] = str(written.resolve())
        return options


def _title(run: Run) -> str:
    return f'{run[0]}, seed {run[1]}'


def _free(folder: Path) -> Path:
    """A folder's name that is not taken."""
    if not folder.exists():
        return folder
    return next(
        f for i in range(1, 10**6) if not (f := folder.with_name(f'{folder.name}.{i}')).exists()
    )
