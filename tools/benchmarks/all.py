r"""Runs all benchmarks of a GPU in five minutes and writes one report.

    python tools/benchmarks/all.py
    python tools/benchmarks/all.py --out work_dirs/speed_h100.txt --only 'memory'

First the Triton kernels' values and gradients are compared with PyTorch's on the card; if they
differ, nothing else runs. Each script has at most 60 seconds, and all together 300: one that
needs longer is ended, and what there is no time for is left out; both are named. The report has
the card and the versions, each command and what it printed.
--tiny takes small configs and few images, to try the script itself on a CPU: such times say
nothing.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from measuring import describe

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONFIGS = ROOT / 'configs'
CHECK = 'kernels'
CONTRAST = ('moco/mocov2', 'detco/detco', 'plrc/plrc')
REGIONS = ('siamese_detr/siamese-detr', 'updetr/updetr', 'detreg/detreg')
Command = list[str]


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmarks.txt'))
    parser.add_argument('--only', nargs='+', help='benchmarks whose names hold one of these words')
    parser.add_argument('--seconds', type=float, default=60, help='of a script at most')
    parser.add_argument('--total', type=float, default=300, help='seconds of all of them')
    parser.add_argument('--tiny', action='store_true', help='small configs, few and small images')
    return parser.parse_args(arguments)


def commands(tiny: bool) -> dict[str, Command]:
    """Scripts and their arguments, by the name of what they measure.

    Args:
        tiny (bool): with small configs, few and small images, on a CPU too.

    Returns:
        dict[str, Command]: on a GPU first the check of the kernels.
    """
    pixcon = CONFIGS / 'pixcon' / 'ablations'
    if tiny:
        contrast = [str(CONFIGS / f'{name}_r18_1xb32-100e_scenes.py') for name in CONTRAST[:1]]
        regions = [str(CONFIGS / f'{REGIONS[1]}_conditional-detr_r18_1xb8-50e_scenes.py')]
        small = ['--batch', '4', '--size', '64', '--patch', '32', '--rounds', '1']
        throughput = '--batch 2 --size 64 --depth 18 --seconds 1 --steps 1'
        step = 'pixcon-two-level_deformable-detr_r18_1xb8-12e_scenes.py'
        return {
            'contrast, float32': ['pretext_step.py', *contrast, *small],
            'contrast, bfloat16': ['pretext_step.py', *contrast, *small, '--amp'],
            'detection pretexts': ['pretext_step.py', *regions, *small],
            'PixCon, all levels': [
                *['pixel_contrast.py', '--only', 'step', '--config', str(pixcon / step)],
                *['--size', '160', '128', '--rounds', '1'],
            ],
            'throughput': ['throughput.py', *throughput.split()],
        }
    contrast = [str(CONFIGS / f'{name}_r50_8xb32-200e_imagenet.py') for name in CONTRAST]
    contrast.append(str(CONFIGS / 'barlow_twins' / 'barlowtwins_r50_8xb256-150e_imagenet.py'))
    contrast.append(str(CONFIGS / 'vicreg' / 'vicreg_r50_8xb256-100e_imagenet.py'))
    end = '_conditional-detr-100q_r50_32xb8-60e_imagenet.py'
    regions = [str(CONFIGS / f'{name}{end}') for name in REGIONS]
    pictures = ['--batch', '8', '--size', '512', '--patch', '128']
    step = 'pixcon-all-level_deformable-detr_r50_4xb3-50e_coco.py'
    levels = ['--config', str(pixcon / step), '--size', '1216', '800', '--batch', '3']
    found = {CHECK: ['check_kernels.py']}
    for dtype in ('float32', 'bfloat16'):
        amp = ['--amp'] if dtype == 'bfloat16' else []
        found |= {
            f'contrast, {dtype}': ['pretext_step.py', *contrast, *amp],
            f'detection pretexts, {dtype}': ['pretext_step.py', *regions, *pictures, *amp],
            f'PixCon, all levels, {dtype}': [
                *['pixel_contrast.py', '--only', 'step', *levels, '--rounds', '5', *amp],
            ],
        }
    return found | {
        'pixel losses': ['pixel_contrast.py', '--only', 'losses', '--cells', '950', '15200'],
        'deformable attention': ['deformable_attention.py', '--locations', 'near'],
        'throughput': ['throughput.py', '--dtypes', 'float32', 'bfloat16', '--seconds', '20'],
        'memory': ['memory.py', '--amp'],
    }


def run(command: Command, seconds: float) -> tuple[str, bool]:
    """Run a script.

    Args:
        command (Command): script of this folder, and arguments.
        seconds (float): that it has.

    Returns:
        tuple[str, bool]: what it printed, and whether it ended well and in time.
    """
    full = [sys.executable, '-W', 'ignore', str(HERE / command[0]), *command[1:]]
    try:
        done = subprocess.run(full, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        late = f'ended: it took more than {seconds:.0f} s'
        return '\n'.join([*_lines(error.stdout or b''), late]), False
    lines = _lines(done.stdout)
    if done.returncode:
        lines += _lines(done.stderr)[-5:]
    return '\n'.join(lines), done.returncode == 0


def _lines(printed: bytes) -> list[str]:
    """Lines of a script; of what it wrote over, the last."""
    text = printed.decode(errors='replace').strip()
    return [line.rsplit('\r', 1)[-1].rstrip() for line in text.split('\n')]


def main() -> None:
    """Run what was asked for; the report is complete up to where it got."""
    args = parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if device == 'cpu' and not args.tiny:
        raise SystemExit('these benchmarks are of a GPU, and torch finds none: add --tiny to try')
    chosen = {
        name: command
        for name, command in commands(args.tiny).items()
        if not args.only or name == CHECK or any(word in name for word in args.only)
    }
    failed = []
    end = time.perf_counter() + args.total
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open('w', encoding='utf-8') as report:
        print(describe(device), file=report)
        for name, command in chosen.items():
            print(f'{name} ...', flush=True)
            start = time.perf_counter()
            left = min(args.seconds, end - start)
            printed, good = run(command, left) if left > 0 else ('left out: no time', False)
            spent = time.perf_counter() - start
            words = [word.removeprefix(f'{ROOT}/') for word in command[1:]]
            line = shlex.join(['python', f'tools/benchmarks/{command[0]}', *words])
            print(f'\n{name}, {spent:.0f} s\n$ {line}\n{printed}', file=report, flush=True)
            if not good:
                failed.append(name)
            if failed == [CHECK]:
                raise SystemExit(f'stopped, the kernels are wrong or do not work:\n{printed}')
    print(f'{args.out}: {len(chosen) - len(failed)} of {len(chosen)} benchmarks')
    if failed:
        raise SystemExit(f'failed or too slow, see the report: {", ".join(failed)}')


if __name__ == '__main__':
    main()
