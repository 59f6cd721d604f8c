r"""Draws detections beside annotations in four groups: right, unlabeled, missed, wrong.

    python tools/analysis_tools/detection_groups.py CONFIG.py CHECKPOINT.pth \
        --out work_dirs/detection_groups.png

The config's test images are drawn: for each group the photos that have most of it, with annotations
at the left, detections at the right, and what belongs to the group framed. A detection is right if
it has class and place of an annotation, and unlabeled where nothing is annotated. An annotation is
missed if nothing is right about it. A detection is wrong if it has another class or a wrong place,
or comes twice. The counts over all images are printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.config import Config
from mmengine.structures import InstanceData

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.detection import load_detector
from mmpixcon.apis.runner import check_checkpoint
from mmpixcon.datasets.checks.configs import check_annotations
from mmpixcon.datasets.data_files import check_data_files, set_data_root
from mmpixcon.evaluation.detection_groups import DetectionGroups, group_detections
from mmpixcon.registry import DATASETS
from mmpixcon.utils.progress import track_progress
from mmpixcon.visualization.detections import QUADRANTS, draw_quadrants, emphasize

GROUPS = [name for row in QUADRANTS for name in row]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Draw detections in four groups')
    parser.add_argument('config', help='of a detector, stock or wrapped')
    parser.add_argument('checkpoint')
    parser.add_argument('--data-root', help="folder of the data, in place of the config's")
    parser.add_argument('--out', type=Path, default=Path('work_dirs/detection_groups.png'))
    parser.add_argument('--images', type=int, default=100, help='test images to look at')
    parser.add_argument('--num', type=int, default=2, help='images of each group')
    parser.add_argument('--score', type=float, default=0.3, help='least score of a detection')
    parser.add_argument('--iou', type=float, default=0.5, help='overlap of a right place')
    parser.add_argument('--device', default='cpu')
    return parser.parse_args()


def annotations_of(info: dict) -> InstanceData:
    """Boxes and classes of an image, without those to ignore."""
    kept = [instance for instance in info['instances'] if not instance['ignore_flag']]
    return InstanceData(
        bboxes=torch.tensor([instance['bbox'] for instance in kept], dtype=torch.float32).view(
            -1, 4
        ),
        labels=torch.tensor([instance['bbox_label'] for instance in kept], dtype=torch.long),
    )


def draw_pair(
    visualizer: DetLocalVisualizer,
    path: str,
    truth: InstanceData,
    detections: InstanceData,
    groups: DetectionGroups,
    name: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Annotations and detections of an image, those of one group framed."""
    image = mmcv.imread(path, channel_order='rgb')
    pictures = []
    for key, instances in (('gt', truth), ('pred', detections)):
        sample = DetDataSample(**{f'{key}_instances': instances})
        visualizer.add_datasample(
            name, image, sample, draw_gt=key == 'gt', draw_pred=key == 'pred', pred_score_thr=0
        )
        pictures.append(visualizer.get_image())
    flags = getattr(groups, name)
    framed = 0 if name == 'missed' else 1
    pictures[framed] = emphasize(pictures[framed], (truth, detections)[framed].bboxes[flags])
    return pictures[0], pictures[1]


def main() -> None:
    """Sort and draw."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    if args.data_root:
        set_data_root(cfg, args.data_root)
    check_data_files(cfg, ('test',))
    # Else categories in another order would be annotations of other classes.
    cfg.work_dir = str(args.out.parent)
    check_annotations(cfg, ('test',))
    check_checkpoint(args.checkpoint, 'checkpoint')
    detector = load_detector(args.checkpoint, args.config, args.device)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    count = min(args.images, len(dataset))
    results = []
    for i in track_progress(range(count), 'detecting', count):
        info = dataset.get_data_info(i)
        truth = annotations_of(info)
        detections = detector.detect(mmcv.imread(info['img_path'])).pred_instances
        detections = detections[detections.scores >= args.score]
        groups = group_detections(
            detections.bboxes,
            detections.labels,
            detections.scores,
            truth.bboxes,
            truth.labels,
            args.iou,
        )
        results.append((info['img_path'], truth, detections, groups))
    counts = {name: sum(int(getattr(r[-1], name).sum()) for r in results) for name in GROUPS}
    print(', '.join(f'{name}: {number}' for name, number in counts.items()))
    visualizer = DetLocalVisualizer(name='detection_groups')
    visualizer.dataset_meta = dataset.metainfo
    pairs = {}
    for name in GROUPS:
        has = [r for r in results if getattr(r[-1], name).any()]
        has.sort(key=lambda r, name=name: -int(getattr(r[-1], name).sum()))
        pairs[name] = [draw_pair(visualizer, *result, name) for result in has[: args.num]]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_quadrants(pairs, counts).savefig(args.out, dpi=130)
    print(args.out)


if __name__ == '__main__':
    main()
