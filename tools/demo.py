"""Pretrain, then fine-tune with PixCon, on the built-in scenes.

    make demo

Writes scenes and runs configs/recipes/demo.py: PLRC pretrains a backbone, a small Deformable
DETR is fine-tuned from it, stock and with PixCon, beside one from random weights. Ends with
the leaderboard's table, metafile.yml and pictures. What is done is kept: interrupted, it
goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import mmcv
import numpy as np
from mmengine.config import DictAction

from mmpixcon.datasets.scenes.render import preset
from mmpixcon.datasets.scenes.write import write_scenes
from mmpixcon.engine.checkpoint.safe_files import pointed_checkpoint
from mmpixcon.recipes import read_recipe
from mmpixcon.recipes.execute import Execution
from mmpixcon.recipes.launch import Board, Launch, as_option, run_logged
from mmpixcon.recipes.report import report
from mmpixcon.recipes.state import ChangedError
from mmpixcon.visualization.curves import draw_curves

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / 'configs' / 'recipes' / 'demo.py'
PIXCON = 'PLRC, Deformable DETR + PixCon'
# Images whose detections are drawn.
DRAWN = 8


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/demo'), help='folder for everything'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--images', type=int, nargs=2, default=(400, 100), metavar='N')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, help='settings of all stages'
    )
    return parser.parse_args()


def run_tool(name: str, arguments: list[str], log: Path) -> None:
    """Run one of tools/, silently."""
    command = [sys.executable, '-u', str(ROOT / 'tools' / name), *arguments]
    run_logged(command, log, Launch().environment(), lambda news: None)


def draw_detections(execution: Execution, stage: str, out: Path) -> Path:
    """Ground truth left, detections right, of a few validation images."""
    run_stage = execution.recipe.stages[stage]
    folder = execution.folder((stage, execution.runs[0][1]))
    options = {**run_stage.options, 'test_dataloader.dataset.indices': DRAWN}
    arguments = [
        str(run_stage.config),
        str(pointed_checkpoint(folder)),
        '--data-root',
        execution.recipe.data['scenes'],
    ]
    arguments += ['--work-dir', str(out / 'test'), '--show-dir', 'detections', '--cfg-options']
    arguments += [f'{key}={as_option(value)}' for key, value in options.items()]
    run_tool('test.py', arguments, out / 'test.log')
    # Small images, enlarged, in two columns.
    drawn = sorted((out / 'test').rglob('detections/*.jpg'))[-DRAWN:]
    images = [mmcv.imrescale(mmcv.imread(path), 2.0) for path in drawn]
    half = (len(images) + 1) // 2
    shape = (half * images[0].shape[0], images[0].shape[1])
    parts = [part for part in (images[:half], images[half:]) if part]
    columns = [mmcv.impad(np.vstack(part), shape=shape) for part in parts]
    mmcv.imwrite(np.hstack(columns), str(out / 'detections.png'))
    return out / 'detections.png'


def draw(execution: Execution, out: Path) -> list[Path]:
    """Views, curves and detections of the run with PixCon."""
    pixcon, seed = execution.recipe.stages[PIXCON], execution.runs[0][1]
    views = out / 'views'
    arguments = [str(pixcon.config), '--data-root', execution.recipe.data['scenes']]
    run_tool('analysis_tools/browse_views.py', [*arguments, '--out', str(views)], out / 'views.log')
    runs = {
        name: execution.folder((name, seed)) for name in execution.recipe.stages if name != 'PLRC'
    }
    panels = {
        'supervised loss, last decoder layer': ['loss_cls', 'loss_bbox', 'loss_iou'],
        'L_Cos': ['loss_pixel_cos'],
        'standard deviation of the features': ['pixcon/l0_feature_std'],
    }
    draw_curves(runs, panels).savefig(out / 'curves.png', dpi=90)
    detections = draw_detections(execution, PIXCON, out)
    return [*sorted(views.glob('*.png'))[:1], out / 'curves.png', detections]


def main() -> None:
    """Run the demo."""
    args = parse_args()
    start = time.time()
    scenes = args.out / 'scenes'
    # Easy ones: minutes are few for a detector that starts from nothing.
    write_scenes(scenes, preset('easy'), num_train=args.images[0], num_val=args.images[1])
    recipe = read_recipe(RECIPE, dict(scenes=str(scenes)), args.cfg_options, (args.seed,))
    execution = Execution(recipe, args.out, Launch())
    try:
        before = execution.check().values()
        execution.execute(Board(len(execution.runs), sys.stdout))
        text, files = report(recipe, args.out)
        pictures = sorted(args.out.glob('views/*.png'))[:1]
        pictures += [args.out / name for name in ('curves.png', 'detections.png')]
        done = all(state is not None and state.finished for state in before)
        if not (done and len(pictures) == 3 and all(path.is_file() for path in pictures)):
            pictures = draw(execution, args.out)
    except KeyboardInterrupt:
        raise SystemExit('\nInterrupted. The same command goes on from the last epoch.') from None
    except (ChangedError, RuntimeError, ValueError) as error:
        raise SystemExit(f'demo: {error}') from None
    print(
        f'\n{text}\n\nOne seed, few steps: this shows that everything works, not which one is '
        'better.\n'
        + '\n'.join(f'  {path}' for path in [*files, *pictures])
        + f'\n{(time.time() - start) / 60:.1f} minutes'
    )


if __name__ == '__main__':
    main()
