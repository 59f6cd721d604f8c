"""``mmpixcon compare``: which method is worth it on one's own photos."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mmpixcon.datasets.checks.problems import describe
from mmpixcon.fitting.choices import (
    NONE,
    MethodChoice,
    default_detector,
    find_detector,
    find_method,
)
from mmpixcon.fitting.comparison import (
    Costs,
    Outcome,
    fitting_plan,
    judge,
    read_budget,
    seconds_a_step,
    seconds_of_seed,
    speed_of,
)
from mmpixcon.fitting.configs import detector_config, pretraining_config
from mmpixcon.fitting.data import FitData, prepare_data
from mmpixcon.fitting.plans import Overrides, Plan, make_plan
from mmpixcon.fitting.recipes import (
    METRICS,
    Training,
    detector_stage,
    find_proposals,
    use_device,
    write_recipe,
    write_settings,
)
from mmpixcon.recipes.execute import Execution
from mmpixcon.recipes.finished import collect
from mmpixcon.recipes.launch import Launch, QuietBoard
from mmpixcon.recipes.recipe import read_recipe
from mmpixcon.recipes.report import report
from mmpixcon.recipes.state import minutes_spent
from mmpixcon.utils.tables import format_table

from .fit import FAILED, as_size, told

# Share of the budget within which there is a first answer.
FIRST_LOOK = 0.1
# What is compared where nothing is said: the methods that gained most on BCCD.
USUAL = (NONE, 'vicreg', 'barlowtwins', 'detco')
USUAL_SHARES = (10.0, 100.0)


def compare(
    train: Annotated[Path, typer.Option(help='photos and labels: a folder, or a label file')],
    methods: Annotated[
        list[str] | None,
        typer.Option(help=f'names of methods, with spaces between [default: {" ".join(USUAL)}]'),
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
        str | None, typer.Option(help='name; `mmpixcon fit --list` shows them')
    ] = None,
    percents: Annotated[
        list[float] | None,
        typer.Option(help='shares of the labels, with spaces between [default: 10 100]'),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help='number of seeds of each training')] = 3,
    budget: Annotated[str, typer.Option(help='time for everything, such as 2h or 90min')] = '2h',
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help='trainings at a time [default: a core each, at most 4]'),
    ] = None,
    out: Annotated[Path, typer.Option(help='folder of all results')] = Path('work_dirs/compare'),
    scale: Annotated[
        str | None, typer.Option(help='WIDTHxHEIGHT that photos are resized to fit into')
    ] = None,
    device: Annotated[str | None, typer.Option(help='cpu or cuda')] = None,
    changed: Annotated[
        str, typer.Option(help='if --out has runs of other settings: refuse, rerun or keep')
    ] = 'refuse',
    as_json: Annotated[
        bool, typer.Option('--json', help='print the outcome as JSON, and nothing else')
    ] = False,
) -> None:
    """Measure which method is worth it on your photos, with which share of the labels.

    It trains a detector with each method, share and seed, in as many steps as the budget allows. A
    first look with one seed and one share takes a tenth of it. The table is printed again after
    each seed. If it is interrupted or a seed no longer fits, run it again to continue. The exit
    statuses are those of `mmpixcon fit`.

    Example: mmpixcon compare --train examples/bccd --methods none vicreg --budget 1h
    """
    begun = time.monotonic()
    with contextlib.redirect_stdout(sys.stderr), told():
        seconds = read_budget(budget)
        names = list(dict.fromkeys([NONE, *(methods or USUAL)]))
        shares = sorted(dict.fromkeys(percents or USUAL_SHARES))
        name = detector or default_detector()
        choice = find_detector(name)
        chosen = {key: find_method(key, name, choice) for key in names}
        data = prepare_data(train, val, unlabelled, out / 'data')
        for found in data.reports:
            typer.echo(describe(found) + '\n')
        overrides = Overrides(scale=as_size(scale), device=device)
        # The smallest share must leave a photo and decides on the size of a batch.
        plan = make_plan(data, overrides, shares[0])
        use_device(plan.device)
        training = Training(choice, data, False, None, {})
        for method in chosen.values():
            find_proposals(method, data, out / 'proposals')
        cores = os.cpu_count() or 1
        jobs = jobs or (min(cores, 4) if plan.device == 'cpu' else 1)
        costs = measured_costs(out, training, chosen, plan, max(cores // jobs, 1))
        photos = data.num_unlabelled
        middle = shares[len(shares) // 2]
        first: Plan | None = None
        # A budget that is too short for one has its first answer after the first seed.
        with contextlib.suppress(ValueError):
            first, _ = fitting_plan(plan, costs, 1, seconds * FIRST_LOOK, jobs, photos)
        rest = seconds * (1 - FIRST_LOOK) if first else seconds
        whole, needed = fitting_plan(plan, costs, len(shares) * seeds, rest, jobs, photos)
        # What an interrupted command did is not done again.
        left = max(needed - 60 * minutes_spent(out / 'runs') / speed_of(jobs), 0)
        typer.echo(summary(data, name, names, shares, seeds, whole, left, jobs))
    command = 'mmpixcon ' + shlex.join(sys.argv[1:])
    with contextlib.redirect_stdout(sys.stderr), told(FAILED):
        if first:
            steps = first.iterations
            typer.echo(f'\nFirst look: one seed, {middle:g} % of the labels, {steps} steps.')
            run(out / 'first_look', training, chosen, first, [middle], [0], jobs, changed, command)
        slowness = 1.0
        for number in range(1, seeds + 1):
            planned = seconds_of_seed(whole, costs, len(shares), jobs, photos, number == 1)
            start = time.monotonic()
            if number > 1 and start - begun + slowness * planned > seconds:
                typer.echo(
                    f'Another seed would end after the budget of {budget}: the trainings took '
                    f'{slowness:.1f} times as long as planned. This is what {number - 1} of '
                    f'{seeds} seeds say. Run the same command again for the next.'
                )
                break
            text, outcome = run(
                out / 'runs', training, chosen, whole, shares, range(number), jobs, changed, command
            )
            slowness = max(slowness, (time.monotonic() - start) / planned)
    winner = [
        'mmpixcon', 'fit', '--train', str(train), '--detector', name, '--method', outcome.winner,
        *(['--val', str(val)] if val else []),
        *(['--unlabelled', str(unlabelled)] if unlabelled else []),
    ]  # fmt: skip
    conclusion = [*outcome.lines, '', f'Best choice: {outcome.winner}', shlex.join(winner)]
    write_settings(out / 'outcome.json', dict(winner=outcome.winner, gains=outcome.gains))
    (out / 'results.md').write_text(f'{text}\n\n' + '\n'.join(conclusion) + '\n')
    if as_json:
        typer.echo(json.dumps(dict(winner=outcome.winner, gains=outcome.gains, command=winner)))
    else:
        typer.echo('\n'.join([text, '', *conclusion, '', str(out / 'results.md')]))


def measured_costs(
    out: Path,
    training: Training,
    methods: Mapping[str, MethodChoice],
    plan: Plan,
    threads: int,
) -> Costs:
    """Time the steps of every method, once: lengths stay what they are when the command goes on."""
    path = out / 'seconds.json'
    known: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    if set(methods) - set(known):
        typer.echo('Timing steps ...')
    for name, method in methods.items():
        if name in known:
            continue
        times = {}
        proposals = (out / 'proposals' / method.proposals).resolve()
        cfg = detector_config(training.detector, method, training.data, plan)
        times['training'] = seconds_a_step(cfg, plan.device, threads)
        if method.kind in ('backbone', 'region'):
            cfg = pretraining_config(training.detector, method, training.data, plan, proposals)
            times['pretraining'] = seconds_a_step(cfg, plan.device, threads)
        known[name] = times
        write_settings(path, known)
    step = known[NONE]['training']
    # Forward alone takes about a third of a step.
    evaluation = step / plan.batch_size / 3 * training.data.numbers['val'][0]
    return Costs(
        {name: known[name]['pretraining'] for name in methods if 'pretraining' in known[name]},
        {name: known[name]['training'] for name in methods},
        evaluation,
    )


def run(
    folder: Path,
    training: Training,
    methods: Mapping[str, MethodChoice],
    plan: Plan,
    percents: Sequence[float],
    seeds: Sequence[int],
    jobs: int,
    changed: str,
    command: str,
) -> tuple[str, Outcome]:
    """Write a recipe, run what is not done of it, and print its table.

    Returns:
        tuple[str, Outcome]: table, and what it says.
    """
    stages: dict[str, Any] = {}
    for name, method in methods.items():
        stages |= training.stages(name, method, plan, percents, folder)
    rows = {name: {f'{p:g}%': detector_stage(name, p) for p in percents} for name in methods}
    title = f'Validation, {plan.iterations} steps, {len(seeds)} seeds'
    table = dict(title=title, rows=rows, metrics=METRICS)
    path = write_recipe(folder / 'recipe.py', stages, [table], seeds, command)
    recipe = read_recipe(path)
    execution = Execution(recipe, folder, Launch(jobs=jobs), changed)
    execution.execute(QuietBoard(len(execution.runs), sys.stderr))
    text, _ = report(recipe, folder)
    outcome = judge(collect([folder]), list(methods), list(percents))
    typer.echo('\n'.join(['', text, '', *outcome.lines, '']))
    return text, outcome


def summary(
    data: FitData,
    detector: str,
    methods: Sequence[str],
    percents: Sequence[float],
    seeds: int,
    plan: Plan,
    seconds: float,
    jobs: int,
) -> str:
    """Write what will be done."""
    end = time.strftime('%H:%M', time.localtime(time.time() + seconds))
    rows = [
        ('train', f'{data.numbers["train"][0]} photos, {data.numbers["train"][1]} objects'),
        ('validate', f'{data.numbers["val"][0]} photos' + ', set apart' * data.was_split),
        ('photos without labels', data.num_unlabelled),
        ('classes', f'{len(data.classes)}: {", ".join(data.classes)}'),
        ('detector', detector),
        ('methods', ', '.join(methods)),
        ('shares of the labels', ', '.join(f'{p:g} %' for p in percents)),
        ('seeds', seeds),
        *(row for row in plan.rows() if 'evaluations' not in row[0]),
        ('passes over the photos without labels', plan.pretraining_epochs),
        ('trainings at a time', jobs),
        ('done at about', end),
    ]
    return format_table(('setting', 'value'), rows)
