"""A detector without and with PixCon on the built-in scenes, compared.

    make demo

Writes scenes, trains a small Deformable DETR twice for the same number of
steps, evaluates both and prints a table. What is done is kept: interrupted, it
goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import mmcv
import numpy as np

from mmpixcon.datasets.scenes import preset
from mmpixcon.datasets.scenes_coco import write_scenes
from mmpixcon.visualization.curves import draw_curves, read_scalars

ROOT = Path(__file__).resolve().parents[1]
RUNS = {
    'Deformable DETR': 'configs/stock/deformable-detr_r18_1xb8-12e_scenes.py',
    'Deformable DETR + PixCon': 'configs/pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py',
}
TRAIN_LINE = re.compile(
    r'Epoch\(train\)\s+\[(\d+)\]\[ *(\d+)/(\d+)\].*?eta: ([\d:]+)\s+time: ([\d.]+).*?loss: ([\d.]+)'
)
VAL_LINE = re.compile(r'Epoch\(val\)\s+\[(\d+)\]\[ *(\d+)/(\d+)\]')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', default='work_dirs/demo', help='folder for everything')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--images', type=int, nargs=2, default=(400, 100), metavar='N')
    parser.add_argument('--cfg-options', nargs='+', default=[], help='settings to change in both')
    return parser.parse_args()


def run_tool(name: str, arguments: list[str], log: Path, label: str) -> None:
    """Run one of tools/, show a line of progress, keep the rest in a log.

    Raises:
        SystemExit: The tool failed; its last lines and the log are named.
    """
    command = [sys.executable, '-u', str(ROOT / 'tools' / name), *arguments]
    environment = os.environ | {'PYTHONPATH': str(ROOT), 'PYTHONWARNINGS': 'ignore'}
    with log.open('a') as file:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        try:
            for line in process.stdout:
                file.write(line)
                if match := TRAIN_LINE.search(line):
                    epoch, i, total, eta, seconds, loss = match.groups()
                    show(
                        f'{label}: epoch {epoch}, step {i}/{total}, loss {float(loss):.2f}, '
                        f'{float(seconds):.2f} s a step, {eta} left'
                    )
                elif match := VAL_LINE.search(line):
                    show(f'{label}: evaluating, {match[2]}/{match[3]} batches')
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    if process.wait() != 0:
        tail = ''.join(log.read_text().splitlines(keepends=True)[-15:])
        raise SystemExit(f'\n{tail}\n{name} failed for {label}; its log is {log}')


def show(text: str) -> None:
    """Replace the line on a terminal; print a line elsewhere."""
    if sys.stdout.isatty():
        print(f'\r\033[K{text}', end='', flush=True)
    else:
        print(text, flush=True)


def train(label: str, config: str, args: argparse.Namespace, out: Path) -> dict[str, float]:
    """Train and evaluate one run, or take up or read what is there.

    Returns:
        dict[str, float]: AP, AP50 and seconds a step.
    """
    result_file, settings_file = out / 'result.json', out / 'settings.json'
    settings = [f'randomness.seed={args.seed}', *args.cfg_options]
    if settings_file.exists() and json.loads(settings_file.read_text()) != settings:
        raise SystemExit(f'{out} holds a run of other settings; give another folder with --out')
    if result_file.exists():
        print(f'{label}: already trained, {result_file}')
        return json.loads(result_file.read_text())
    out.mkdir(parents=True, exist_ok=True)
    settings_file.write_text(json.dumps(settings))
    arguments = [str(ROOT / config), '--data-root', str(Path(args.out) / 'scenes')]
    options = ['--cfg-options', 'default_hooks.logger.interval=10', *settings]
    run_tool(
        'train.py',
        [*arguments, '--work-dir', str(out), '--resume', *options],
        out / 'train.log',
        label,
    )
    records = read_scalars(out)
    last = [r for r in records if 'coco/bbox_mAP' in r][-1]
    result = dict(
        AP=last['coco/bbox_mAP'],
        AP50=last['coco/bbox_mAP_50'],
        seconds=statistics.median(r['time'] for r in records if 'loss' in r),
    )
    checkpoint = Path((out / 'last_checkpoint').read_text())
    run_tool(
        'test.py',
        [*arguments[:1], str(checkpoint), *arguments[1:], '--work-dir', str(out / 'test')]
        + ['--show-dir', 'detections', *options, 'test_dataloader.dataset.indices=8'],
        out / 'test.log',
        label,
    )
    # Ground truth left, detections right; small images, enlarged.
    drawn = sorted((out / 'test').rglob('detections/*.jpg'))[-8:]
    images = [mmcv.imrescale(mmcv.imread(path), 2.0) for path in drawn]
    half = (len(images) + 1) // 2
    columns = [mmcv.impad(np.vstack(part), shape=(half * images[0].shape[0], images[0].shape[1]))
               for part in (images[:half], images[half:]) if part]  # fmt: skip
    mmcv.imwrite(np.hstack(columns), str(out / 'detections.png'))
    result_file.write_text(json.dumps(result))
    show(f'{label}: AP {result["AP"]:.3f}, AP50 {result["AP50"]:.3f}\n')
    return result


def draw(results: dict[str, Path], out: Path, args: argparse.Namespace) -> list[Path]:
    """Views, curves; the detections are there already."""
    views = out / 'views'
    config = ROOT / RUNS['Deformable DETR + PixCon']
    run_tool(
        'analysis_tools/browse_views.py',
        [str(config), '--data-root', str(out / 'scenes'), '--out', str(views)],
        out / 'views.log',
        'views',
    )
    curves = out / 'curves.png'
    supervised = ['loss_cls', 'loss_bbox', 'loss_iou']
    draw_curves(
        results,
        {
            'supervised loss, last decoder layer': supervised,
            'L_Cos': ['loss_pixel_cos'],
            'standard deviation of the features': ['pixcon/l0_feature_std'],
        },
    ).savefig(curves, dpi=90)
    return [*sorted(views.glob('*.png'))[:1], curves]


def main() -> None:
    """Run the demo."""
    args = parse_args()
    out = Path(args.out)
    start = time.time()
    # Easy ones: minutes are few for a detector that starts from nothing.
    write_scenes(out / 'scenes', preset('easy'), num_train=args.images[0], num_val=args.images[1])
    folders = {label: out / Path(config).stem for label, config in RUNS.items()}
    try:
        results = {
            label: train(label, RUNS[label], args, folder) for label, folder in folders.items()
        }
    except KeyboardInterrupt:
        raise SystemExit('\nInterrupted. The same command goes on from the last epoch.') from None
    pictures = draw(folders, out, args)
    pictures += [folder / 'detections.png' for folder in folders.values()]
    print(f'\n{"":26}  {"AP":>6}  {"AP50":>6}  {"s/step":>6}')
    for label, result in results.items():
        print(f'{label:26}  {result["AP"]:6.3f}  {result["AP50"]:6.3f}  {result["seconds"]:6.2f}')
    print(
        '\nOne seed, few steps: this shows that everything works, not which one is better.\n'
        + '\n'.join(f'  {picture}' for picture in pictures)
        + f'\n{(time.time() - start) / 60:.1f} minutes'
    )


if __name__ == '__main__':
    main()
