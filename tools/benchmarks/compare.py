r"""Train several configs over several seeds, evaluate, and print one table.

    python tools/benchmarks/compare.py \
        stock=configs/stock/deformable-detr_r18_1xb8-12e_scenes.py \
        PixCon=configs/pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py \
        --seeds 0 1 2 --work-dir work_dirs/compare

Mean and standard deviation (n - 1) over seeds of COCO's metrics, and the
difference of the first config's mean; also as results.md, results.json and
results.png. A finished run is not done again, an interrupted one resumes; both
as long as its resolved config is the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from mmengine.config import Config

import mmpixcon  # noqa: F401  (makes mmdet:: configs of the pinned set readable)
from mmpixcon.visualization.curves import draw_comparison, read_scalars

TRAIN = Path(__file__).resolve().parents[1] / 'train.py'
METRICS = dict(
    AP='bbox_mAP',
    AP50='bbox_mAP_50',
    AP75='bbox_mAP_75',
    AP_S='bbox_mAP_s',
    AP_M='bbox_mAP_m',
    AP_L='bbox_mAP_l',
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('configs', nargs='+', metavar='NAME=CONFIG', help='the first is baseline')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/compare'))
    parser.add_argument('--data-root', help="folder of the data, in place of the configs'")
    parser.add_argument(
        '--jobs', type=int, default=1, help='runs at a time; they share the processor cores'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='settings of every run, as key=value'
    )
    args = parser.parse_args()
    pairs = [entry.partition('=')[::2] for entry in args.configs]
    for name, config in pairs:
        if not config or not Path(config).is_file():
            parser.error(f'{name}={config}: no such config file; write NAME=CONFIG')
    args.configs = dict(pairs)
    if len(args.configs) < len(pairs):
        parser.error('two configs have the same name')
    return args


def digest(config: str, options: list[str]) -> str:
    """What a run depends on, besides its seed."""
    text = Config.fromfile(config).pretty_text + '\n'.join(options)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def one_run(name: str, config: str, seed: int, args: argparse.Namespace) -> dict[str, float]:
    """Train and evaluate one config with one seed, or read what was found before.

    Returns:
        dict: Metrics, and under 'minutes' what this call took, 0 if it only read.

    Raises:
        RuntimeError: The run failed; its log is named.
    """
    options = [*args.cfg_options, *([f'data_root={args.data_root}'] if args.data_root else [])]
    work_dir = args.work_dir / name.replace(' ', '_').replace(',', '') / f'seed_{seed}'
    work_dir = work_dir.with_name(f'{work_dir.name}_{digest(config, options)}')
    result = work_dir / 'metrics.json'
    if result.is_file():
        return json.loads(result.read_text()) | dict(minutes=0.0)
    start = time.time()
    work_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(TRAIN), config, '--work-dir', str(work_dir), '--resume']
    if args.data_root:
        command += ['--data-root', args.data_root]
    command += ['--cfg-options', f'randomness.seed={seed}', *args.cfg_options]
    threads = max((os.cpu_count() or 1) // args.jobs, 1)
    log = work_dir / 'console.log'
    with log.open('a') as stream:
        code = subprocess.run(
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=os.environ | dict(OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads)),
        ).returncode
    if code != 0:
        raise RuntimeError(f'{name}, seed {seed}: exit code {code}; see {log}')
    records = read_scalars(work_dir)
    last = [record for record in records if f'coco/{METRICS["AP"]}' in record][-1]
    metrics = {label: last[f'coco/{key}'] for label, key in METRICS.items()}
    steps = [record['time'] for record in records if 'time' in record and 'loss' in record]
    metrics['s/step'] = statistics.median(steps)
    result.write_text(json.dumps(metrics))
    return metrics | dict(minutes=(time.time() - start) / 60)


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """Markdown: mean and deviation a cell."""
    lines = ['| model | ' + ' | '.join(METRICS) + ' | AP to first |']
    lines.append('|---' * (len(METRICS) + 2) + '|')
    base = next(iter(results.values()))
    for name, runs in results.items():
        cells = []
        for metric in METRICS:
            values = [100 * run[metric] for run in runs]
            spread = statistics.stdev(values) if len(values) > 1 else float('nan')
            cells.append(f'{statistics.mean(values):.1f} ± {spread:.1f}')
        gain = statistics.mean(r['AP'] for r in runs) - statistics.mean(r['AP'] for r in base)
        lines.append(f'| {name} | ' + ' | '.join(cells) + f' | {100 * gain:+.1f} |')
    return '\n'.join(lines)


def main() -> None:
    """Run what isn't done, then print."""
    args = parse_args()
    # Seeds outside: an interrupted comparison has whole rows of fewer seeds.
    todo = [(name, seed) for seed in args.seeds for name in args.configs]
    found: dict[tuple[str, int], dict[str, float]] = {}
    minutes: list[float] = []
    with ThreadPoolExecutor(args.jobs) as pool:
        running: dict[Future, tuple[str, int]] = {
            pool.submit(one_run, name, args.configs[name], seed, args): (name, seed)
            for name, seed in todo
        }
        while running:
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                name, seed = running.pop(future)
                try:
                    found[name, seed] = future.result()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
                minutes += [took] if (took := found[name, seed].pop('minutes')) else []
                left = len(todo) - len(found)
                eta = statistics.mean(minutes) * left / args.jobs if minutes else float('nan')
                print(
                    f'[{len(found)}/{len(todo)}] {name}, seed {seed}: '
                    f'AP {found[name, seed]["AP"]:.3f}; {eta:.0f} min to go',
                    flush=True,
                )
    results = {name: [found[name, seed] for seed in args.seeds] for name in args.configs}
    text = table(results)
    args.work_dir.mkdir(parents=True, exist_ok=True)
    (args.work_dir / 'results.md').write_text(text + '\n')
    aps = {name: [100 * run['AP'] for run in runs] for name, runs in results.items()}
    draw_comparison(aps, 'AP, a point a seed').savefig(args.work_dir / 'results.png', dpi=120)
    (args.work_dir / 'results.json').write_text(json.dumps(results, indent=1))
    print(text)


if __name__ == '__main__':
    main()
