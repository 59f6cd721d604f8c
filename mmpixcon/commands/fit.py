"""``mmpixcon fit``: from photos and labels to a detector."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mmpixcon.apis.options import parse_option
from mmpixcon.datasets.checks.problems import BadDataError, describe
from mmpixcon.fitting.choices import (
    NONE,
    MethodChoice,
    default_detector,
    describe_choices,
    find_detector,
    find_method,
)
from mmpixcon.fitting.data import FitData, prepare_data
from mmpixcon.fitting.plans import Overrides, Plan, make_plan
from mmpixcon.fitting.recipes import (
    METRICS,
    Training,
    detector_stage,
    find_proposals,
    use_device,
    write_recipe,
)
from mmpixcon.fitting.results import (
    best_checkpoint,
    evaluate,
    load_report,
    publish,
    write_results,
)
from mmpixcon.recipes.execute import Execution
from mmpixcon.recipes.launch import Board, Launch
from mmpixcon.recipes.recipe import read_recipe
from mmpixcon.recipes.state import ChangedError
from mmpixcon.utils.tables import format_table

#: Exit status where a training must not begin with the data.
FATAL = 1
#: Exit status where an option or a file is wrong.
WRONG = 2
#: Exit status where a training failed.
FAILED = 3
#: Exit status of an interruption, as shells have it.
INTERRUPTED = 130


@dataclass(frozen=True)
class Job:
    """Everything that a fit consists of."""

    data: FitData
    plan: Plan
    training: Training
    detector_name: str
    method_name: str
    method: MethodChoice
    percent: float
    seed: int
    out: Path

    def rows(self) -> list[tuple[str, object]]:
        """Write what will be done as rows of a table."""
        data = self.data
        photos = {
            name: f'{images} photos, {objects} objects' for name, (images, objects) in
            data.numbers.items()
        }  # fmt: skip
        rows: list[tuple[str, object]] = [
            ('train', photos['train']),
            ('validate', photos['val'] + (', set apart' if data.was_split else '')),
            ('classes', f'{len(data.classes)}: {", ".join(data.classes)}'),
            ('detector', self.detector_name),
            ('method', f'{self.method_name}: {self.method.about}'),
        ]
        if self.percent < 100:
            rows.append(('share of the labels', f'{self.percent:g} %'))
        rows += self.plan.rows()
        if self.method.kind in ('backbone', 'region'):
            where = data.unlabelled or 'those to train on'
            rows += [
                ('photos without labels', f'{data.num_unlabelled}, {where}'),
                ('passes over them', self.plan.pretraining_epochs),
            ]
        extras = [
            name
            for name, used in (
                ('EMA', self.training.ema),
                ('early stopping', self.training.patience),
            )
            if used
        ]
        return [*rows, ('other options', ', '.join(extras) or '-'), ('seed', self.seed)]


def fit(
    train: Annotated[
        Path | None, typer.Option(help='photos and labels: a folder, or a label file')
    ] = None,
    val: Annotated[
        Path | None,
        typer.Option(help="the same to validate on [default: --train's, or a fifth of it]"),
    ] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option(help='folder of photos to pretrain on [default: those of --train]'),
    ] = None,
    detector: Annotated[
        str | None, typer.Option(help='name, or a config of mmdet; --list shows the names')
    ] = None,
    method: Annotated[str, typer.Option(help='name of a method; --list shows them')] = NONE,
    percent: Annotated[float, typer.Option(help='share of the labeled photos to train on')] = 100,
    out: Annotated[Path, typer.Option(help='folder of all results')] = Path('work_dirs/fit'),
    batch_size: Annotated[int | None, typer.Option(help='photos per step')] = None,
    workers: Annotated[int | None, typer.Option(help='processes that load photos')] = None,
    lr: Annotated[float | None, typer.Option(help='learning rate of the detector')] = None,
    iterations: Annotated[int | None, typer.Option(help='steps of the detector')] = None,
    pretraining_steps: Annotated[int | None, typer.Option(help='steps of the pretraining')] = None,
    scale: Annotated[
        str | None, typer.Option(help='WIDTHxHEIGHT that photos are resized to fit into')
    ] = None,
    device: Annotated[str | None, typer.Option(help='cpu or cuda')] = None,
    seed: Annotated[int, typer.Option(help='seed of the random numbers')] = 0,
    ema: Annotated[bool, typer.Option('--ema', help='evaluate and save averaged weights')] = False,
    early_stopping: Annotated[
        int | None,
        typer.Option(help='evaluations without a better AP after which the training stops'),
    ] = None,
    cfg_options: Annotated[
        list[str] | None, typer.Option(help='KEY=VALUE to set in the config; can be repeated')
    ] = None,
    changed: Annotated[
        str, typer.Option(help='if --out has runs of other settings: refuse, rerun or keep')
    ] = 'refuse',
    show_names: Annotated[bool, typer.Option('--list', help='show detectors and methods')] = False,
    as_json: Annotated[
        bool, typer.Option('--json', help='print the results as JSON, and nothing else')
    ] = False,
) -> None:
    """Train a detector on your photos, with pretraining if you want it.

    It checks the data first. It writes into --out: config.py, best.pth (of the stock detector),
    results.md, pictures, and a recipe with its configs, which `mim train mmpixcon` can also run.
    If it is interrupted, run it again to continue. The exit status is 0, 1 if the data are wrong,
    2 if an option is, 3 if a training failed, and 130 if it was interrupted.

    Example: mmpixcon fit --train examples/bccd --method vicreg --percent 10
    """
    if show_names:
        typer.echo(describe_choices())
        return
    with contextlib.redirect_stdout(sys.stderr):
        size = as_size(scale)
        overrides = Overrides(batch_size, workers, lr, iterations, pretraining_steps, size, device)
        switches = ema, early_stopping
        job = prepare(
            train, val, unlabelled, detector, method, percent, seed, out,
            overrides, switches, cfg_options or [],
        )  # fmt: skip
        typer.echo(format_table(('setting', 'value'), job.rows()) + '\n')
        metrics, files = run(job, changed)
    if as_json:
        typer.echo(json.dumps(dict(metrics=metrics, files=[str(file) for file in files])))
        return
    typer.echo((out / 'results.md').read_text().rstrip())
    typer.echo('\n' + '\n'.join(str(file) for file in files))
    typer.echo(f'\nDetect with it: mmpixcon detect {out / "best.pth"} PHOTOS')


def prepare(
    train: Path | None,
    val: Path | None,
    unlabelled: Path | None,
    detector: str | None,
    method: str,
    percent: float,
    seed: int,
    out: Path,
    overrides: Overrides,
    switches: tuple[bool, int | None],
    cfg_options: list[str],
) -> Job:
    """Check the options and the data.

    Raises:
        typer.Exit: Something is wrong; it was told.
    """
    with told():
        if train is None:
            raise ValueError('--train is missing: a folder of photos and labels')
        if switches[1] is not None and switches[1] < 1:
            raise ValueError(f'--early-stopping {switches[1]} must be at least 1')
        name = detector or default_detector()
        choice = find_detector(name)
        chosen = find_method(method, name, choice)
        data = prepare_data(train, val, unlabelled, out / 'data')
        for report in data.reports:
            typer.echo(describe(report) + '\n')
        plan = make_plan(data, overrides, percent)
        training = Training(choice, data, *switches, read_options(cfg_options))
        return Job(data, plan, training, name, method, chosen, percent, seed, out)


def run(job: Job, changed: str) -> tuple[dict[str, float], list[Path]]:
    """Train, then write the results.

    Args:
        job (Job): what to do.
        changed (str): 'refuse', 'rerun' or 'keep', as recipes have it.

    Returns:
        tuple[dict[str, float], list[Path]]: metrics and files.

    Raises:
        typer.Exit: It failed or was interrupted; that was told.
    """
    out, plan = job.out, job.plan
    use_device(plan.device)
    with told(FAILED):
        find_proposals(job.method, job.data, out / 'proposals')
        # Of the same depth as the configs of a comparison, whose proposals lie beside the recipe.
        folder = out / 'runs'
        stages = job.training.stages(job.method_name, job.method, plan, [job.percent], folder)
        stage = detector_stage(job.method_name, job.percent)
        table = dict(title='Detector', rows={job.method_name: {'': stage}}, metrics=METRICS)
        command = 'mmpixcon ' + shlex.join(sys.argv[1:])
        path = write_recipe(folder / 'recipe.py', stages, [table], [job.seed], command)
        execution = Execution(read_recipe(path), folder, Launch(), changed)
        execution.execute(Board(len(execution.runs), sys.stderr))
        trained = execution.folder((stage, job.seed))
        best = best_checkpoint(trained)
        publish(best, out / 'best.pth')
        shutil.copyfile(execution.recipe.stages[stage].config, out / 'config.py')
        evaluation = evaluate(out / 'best.pth', job.data.val, job.data.val_images, plan.device)
        rows = [*job.rows(), ('best checkpoint', best.name)]
        report = load_report(trained / 'console.log')
        files = write_results(evaluation, out, rows, report)
        return evaluation.metrics, [out / 'config.py', out / 'best.pth', *files]


@contextlib.contextmanager
def told(status: int = WRONG):
    """Turn errors of users and data into a message and an exit status."""
    try:
        yield
    except BadDataError as error:
        typer.echo(f'mmpixcon: {error}', err=True)
        raise typer.Exit(FATAL) from None
    except ChangedError as error:
        typer.echo(f'mmpixcon: {error}', err=True)
        raise typer.Exit(WRONG) from None
    except KeyboardInterrupt as interruption:
        typer.echo('\nInterrupted. Run the same command again to continue.', err=True)
        raise typer.Exit(getattr(interruption, 'status', INTERRUPTED)) from None
    except (OSError, ImportError, ValueError, KeyError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        typer.echo(f'mmpixcon: {text}', err=True)
        raise typer.Exit(WRONG) from None
    except RuntimeError as error:
        typer.echo(f'mmpixcon: {error}', err=True)
        raise typer.Exit(status) from None


def as_size(text: str | None) -> tuple[int, int] | None:
    """Read WIDTHxHEIGHT.

    Raises:
        typer.BadParameter: It is something else.
    """
    if text is None:
        return None
    match = re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', text)
    if not match:
        raise typer.BadParameter(
            f'{text!r} is not WIDTHxHEIGHT, such as 640x480', param_hint='--scale'
        )
    return int(match[1]), int(match[2])


def read_options(options: list[str]) -> dict[str, Any]:
    """Read settings as ``--cfg-options`` of the other tools has them.

    Raises:
        ValueError: An option is not KEY=VALUE.
    """
    values = {}
    for option in options:
        key, equals, value = option.partition('=')
        if not equals:
            raise ValueError(f'--cfg-options {option} is not KEY=VALUE')
        values[key] = parse_option(value)
    return values
