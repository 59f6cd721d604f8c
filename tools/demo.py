"""See photos before their labels: pretrain, then train a detector with few labels.

    make demo

Runs configs/recipes/demo.py: VICReg pretrains a small backbone on the photos of examples/bccd
without their labels, then a Faster R-CNN is trained with a tenth of the labels, from that backbone
and from random weights. Ends with the leaderboard's table, metafile.yml and pictures. What is done
is kept: interrupted, it goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import mmcv
import torch
from mmengine.structures import InstanceData

from mmpixcon.apis.detection import load_detector
from mmpixcon.apis.options import OptionsAction
from mmpixcon.engine.checkpoint.safe_files import pointed_checkpoint
from mmpixcon.recipes import read_recipe
from mmpixcon.recipes.execute import CHANGED, Execution
from mmpixcon.recipes.launch import Board, Launch, QuietBoard
from mmpixcon.recipes.report import report
from mmpixcon.recipes.state import ChangedError
from mmpixcon.visualization.curves import draw_curves
from mmpixcon.visualization.detections import PhotoDetections, draw_beside_annotations

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / 'configs' / 'recipes' / 'demo.py'
BCCD = ROOT / 'examples' / 'bccd'
PRETRAINING = 'VICReg'
# Photos whose detections are drawn, the first that show all classes.
DRAWN = 3
MEASURED = """\
One seed is an example. Over five seeds (0 to 4) the same comparison gave 38.4 ± 0.7 AP from random
weights and 41.1 ± 1.0 after VICReg: a gain of 2.7, five deviations of the difference. Again:
  python tools/run_recipe.py configs/recipes/demo.py --seeds 0 1 2 3 4"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/demo'), help='folder for everything'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--cfg-options', nargs='+', action=OptionsAction, default={}, help='settings of all stages'
    )
    parser.add_argument(
        '--changed', choices=CHANGED, default='refuse', help='if there are runs of other settings'
    )
    return parser.parse_args()


def read_photos(number: int) -> tuple[list[tuple[Path, InstanceData]], list[str]]:
    """Read what is annotated in some validation photos that show all classes.

    Args:
        number (int): photos.

    Returns:
        tuple[list[tuple[Path, InstanceData]], list[str]]: files with their boxes and labels, and
        the names of the classes.
    """
    content = json.loads((BCCD / 'val.json').read_text())
    keys = [category['id'] for category in content['categories']]
    photos = []
    for image in content['images']:
        objects = [o for o in content['annotations'] if o['image_id'] == image['id']]
        labels = [keys.index(o['category_id']) for o in objects]
        if len(set(labels)) < len(keys):
            continue
        boxes = torch.tensor([o['bbox'] for o in objects])
        boxes[:, 2:] += boxes[:, :2]
        annotated = InstanceData(bboxes=boxes, labels=torch.tensor(labels))
        photos.append((BCCD / 'images' / image['file_name'], annotated))
    return photos[:number], [category['name'] for category in content['categories']]


def draw_detections(execution: Execution, stages: list[str], seed: int, out: Path) -> Path:
    """Draw what is annotated beside what the detectors of some stages find.

    Args:
        execution (Execution): finished runs.
        stages (list[str]): stages that trained a detector.
        seed (int): seed of their runs.
        out (Path): folder.

    Returns:
        Path: picture.
    """
    photos, classes = read_photos(DRAWN)
    found: list[dict[str, InstanceData]] = [{} for _ in photos]
    for name in stages:
        checkpoint = pointed_checkpoint(execution.folder((name, seed)))
        if checkpoint is None:
            raise RuntimeError(f'{execution.folder((name, seed))} has no checkpoint')
        detector = load_detector(checkpoint)
        for (path, _), of_photo in zip(photos, found, strict=True):
            title = name.split(',')[0]
            of_photo[title] = detector.detect(mmcv.imread(path)).pred_instances
    rows = [
        PhotoDetections(mmcv.imread(path, channel_order='rgb'), annotated, of_photo)
        for (path, annotated), of_photo in zip(photos, found, strict=True)
    ]
    picture = out / 'detections.png'
    draw_beside_annotations(rows, classes).savefig(picture, dpi=90)
    return picture


def draw(execution: Execution, seed: int, out: Path) -> list[Path]:
    """Draw detections and the course of the trainings.

    Args:
        execution (Execution): finished runs.
        seed (int): seed of the runs.
        out (Path): folder.

    Returns:
        list[Path]: pictures.
    """
    detectors = [name for name in execution.recipe.stages if name != PRETRAINING]
    panels = {
        'loss': ['loss'],
        'classification, second stage': ['loss_cls'],
        'classification, proposals': ['loss_rpn_cls'],
    }
    curves = draw_curves({name: execution.folder((name, seed)) for name in detectors}, panels)
    curves.savefig(out / 'curves.png', dpi=90)
    return [draw_detections(execution, detectors, seed, out), out / 'curves.png']


def main() -> None:
    """Run the demo."""
    args = parse_args()
    start = time.time()
    options: dict[str, Any] = args.cfg_options
    recipe = read_recipe(RECIPE, dict(bccd=f'{BCCD}/'), options, (args.seed,))
    # The pretraining on all cores, then the detectors beside each other: that keeps cores busy.
    begun = Execution(recipe, args.out, Launch(), args.changed, [PRETRAINING])
    beside = Launch(jobs=min(os.cpu_count() or 1, len(recipe.stages) - 1))
    execution = Execution(recipe, args.out, beside, args.changed)
    try:
        before = execution.check().values()
        begun.execute(Board(len(execution.runs), sys.stdout))
        execution.execute(QuietBoard(len(execution.runs), sys.stdout))
        text, files = report(recipe, args.out)
        pictures = [args.out / name for name in ('detections.png', 'curves.png')]
        done = all(state is not None and state.finished for state in before)
        if not (done and all(path.is_file() for path in pictures)):
            # mmengine tells each step of loading.
            with (
                (args.out / 'detections.log').open('w') as log,
                contextlib.redirect_stdout(log),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter('ignore')
                pictures = draw(execution, args.seed, args.out)
    except KeyboardInterrupt:
        raise SystemExit('\nInterrupted. Run the same command again to continue.') from None
    except (ChangedError, RuntimeError, ValueError) as error:
        raise SystemExit(f'demo: {error}') from None
    print(f'\n{text}\n')
    if not options:
        print(f'{MEASURED}\n')
    print('\n'.join(f'  {path}' for path in [*pictures, *files]))
    print(f'{(time.time() - start) / 60:.1f} minutes')


if __name__ == '__main__':
    main()
