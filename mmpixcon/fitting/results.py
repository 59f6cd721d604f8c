"""Results of a training for people: the best checkpoint, numbers and pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmdet.evaluation import CocoMetric
from mmdet.registry import MODELS
from mmengine.runner import save_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.structures import InstanceData
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmpixcon.apis.detection import load_detector
from mmpixcon.datasets.checks.reading import read_json
from mmpixcon.engine.checkpoint.kept_config import read_kept_config
from mmpixcon.engine.checkpoint.safe_files import pointed_checkpoint
from mmpixcon.evaluation.confusion import confusion_matrix
from mmpixcon.utils.files import replace_file
from mmpixcon.utils.progress import track_progress
from mmpixcon.utils.quiet import quiet_libraries
from mmpixcon.utils.tables import markdown_table
from mmpixcon.visualization.detections import PhotoDetections, draw_beside_annotations
from mmpixcon.visualization.evaluation import draw_confusion, draw_precision_recall

# Least score of detections that are drawn and counted in the confusion matrix.
THRESHOLD = 0.3
# Photos that are drawn.
DRAWN = 4
# What the log says of the loading of weights, with the table below it.
LOADED = re.compile(r'\d+ of \d+ tensors of .*(?:\n(?!\d\d/\d\d |\d{4}/).*\S.*)*')


@dataclass(frozen=True)
class Evaluation:
    """Detections of a detector on photos with annotations.

    Attributes:
        classes (tuple[str, ...]): names of the classes.
        photos (list[tuple[Path, InstanceData]]): files and their annotations.
        found (list[InstanceData]): detections of each photo.
        metrics (dict[str, float]): metrics of COCO, from 0 to 1.
        by_class (dict[str, float]): AP of each class, from 0 to 1; -1 without objects.
        precisions (np.ndarray): precision at an IoU of 0.5 by recall and class, (101, classes).
    """

    classes: tuple[str, ...]
    photos: list[tuple[Path, InstanceData]]
    found: list[InstanceData]
    metrics: dict[str, float]
    by_class: dict[str, float]
    precisions: np.ndarray


def best_checkpoint(folder: Path) -> Path:
    """Find the best checkpoint of a run, or its last where none was the best.

    Args:
        folder (Path): work folder.

    Returns:
        Path: checkpoint.

    Raises:
        FileNotFoundError: There is none.
    """
    best = sorted(folder.glob('best_*.pth'), key=lambda path: path.stat().st_mtime)
    checkpoint = best[-1] if best else pointed_checkpoint(folder)
    if checkpoint is None:
        raise FileNotFoundError(f'{folder} has no checkpoint')
    return checkpoint


@quiet_libraries()
def publish(checkpoint: Path, path: Path) -> None:
    """Write the stock detector of a checkpoint, with its config and nothing else.

    Args:
        checkpoint (Path): checkpoint of a run, of a detector or of a method around one.
        path (Path): file to write.
    """
    state = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu')
    meta = dict(state.get('meta') or {})
    cfg = read_kept_config(meta['cfg'], str(checkpoint))
    weights = dict(state['state_dict'])
    if 'detector' in cfg.model:
        # What is the method's own stands under its prefix.
        own = MODELS.get(cfg.model.type).own_prefix
        weights = {name: value for name, value in weights.items() if not name.startswith(own)}
        cfg.model = cfg.model.detector
    meta['cfg'] = cfg.pretty_text
    part = path.with_name(f'{path.name}.part')
    save_checkpoint(dict(meta=meta, state_dict=weights), str(part))
    part.replace(path)


@quiet_libraries()
def evaluate(checkpoint: Path, ann_file: Path, images: Path, device: str) -> Evaluation:
    """Detect objects in annotated photos, and compare.

    Args:
        checkpoint (Path): checkpoint with its config, as :func:`publish` writes it.
        ann_file (Path): COCO file.
        images (Path): folder that its file names start from.
        device (str): device.

    Returns:
        Evaluation: what came out.
    """
    detector = load_detector(checkpoint, device=device)
    content = read_json(ann_file)
    keys = {c['name']: c['id'] for c in content['categories']}
    labels = {keys[name]: label for label, name in enumerate(detector.classes) if name in keys}
    photos = [
        (images / image['file_name'], _annotations(content, image['id'], labels))
        for image in content['images']
    ]
    metric = CocoMetric(ann_file=str(ann_file), metric='bbox', classwise=True)
    metric.dataset_meta = dict(classes=detector.classes)
    found = []
    for image, (path, _) in zip(
        content['images'], track_progress(photos, 'evaluating', len(photos)), strict=True
    ):
        objects = detector.detect(mmcv.imread(path)).pred_instances
        found.append(objects)
        prediction = dict(bboxes=objects.bboxes, scores=objects.scores, labels=objects.labels)
        metric.process(
            {},
            [
                dict(
                    pred_instances=prediction,
                    img_id=image['id'],
                    ori_shape=(image['height'], image['width']),
                )
            ],
        )
    values = metric.evaluate(len(photos))
    # mmdet writes nan for a class without objects, which JSON does not know.
    by_class = {
        name: float(np.nan_to_num(values.get(f'coco/{name}_precision', -1.0), nan=-1.0))
        for name in detector.classes
    }
    numbers = {key: float(v) for key, v in values.items() if not key.endswith('_precision')}
    precisions = _precisions(content, photos, found, len(detector.classes))
    return Evaluation(detector.classes, photos, found, numbers, by_class, precisions)


def write_results(
    evaluation: Evaluation, out: Path, rows: Sequence[tuple[str, object]], loaded: str
) -> list[Path]:
    """Write numbers and pictures.

    Args:
        evaluation (Evaluation): what a detector found.
        out (Path): folder.
        rows (Sequence[tuple[str, object]]): settings to repeat.
        loaded (str): what was loaded into the model before the training; '' for nothing.

    Returns:
        list[Path]: files.
    """
    counts = confusion_matrix(
        [(boxes, objects) for (_, boxes), objects in zip(evaluation.photos, evaluation.found)],
        len(evaluation.classes),
        THRESHOLD,
    )
    figures = {
        'precision_recall.png': draw_precision_recall(
            evaluation.precisions, evaluation.classes, evaluation.by_class
        ),
        'confusion.png': draw_confusion(counts, evaluation.classes),
    }
    drawn = [pair for pair in zip(evaluation.photos, evaluation.found) if len(pair[0][1])]
    # Spread over the photos, the same each time.
    chosen = drawn[:: max(len(drawn) // DRAWN, 1)][:DRAWN]
    if chosen:
        pictures = [
            PhotoDetections(mmcv.imread(path, channel_order='rgb'), boxes, {'detected': objects})
            for (path, boxes), objects in chosen
        ]
        figures['detections.png'] = draw_beside_annotations(pictures, evaluation.classes, THRESHOLD)
    for name, figure in figures.items():
        figure.savefig(out / name, dpi=100)
    files = [out / name for name in figures]
    replace_file(out / 'results.md', f'{_text(evaluation, rows)}\n'.encode())
    if loaded:
        replace_file(out / 'load_report.txt', f'{loaded}\n'.encode())
        files.append(out / 'load_report.txt')
    return [out / 'results.md', *files]


def load_report(console: Path) -> str:
    """Find what a log says of the loading of weights.

    Args:
        console (Path): log of a run.

    Returns:
        str: lines; '' without any.
    """
    if not console.is_file():
        return ''
    return '\n\n'.join(dict.fromkeys(LOADED.findall(console.read_text(errors='replace'))))


def _text(evaluation: Evaluation, rows: Sequence[tuple[str, object]]) -> str:
    metrics = evaluation.metrics
    names = {
        'AP': 'coco/bbox_mAP', 'AP50': 'coco/bbox_mAP_50', 'AP75': 'coco/bbox_mAP_75',
        'AP small': 'coco/bbox_mAP_s', 'AP medium': 'coco/bbox_mAP_m',
        'AP large': 'coco/bbox_mAP_l',
    }  # fmt: skip
    return '\n\n'.join(
        [
            f'# Results on {len(evaluation.photos)} validation photos',
            markdown_table(list(names), [[_percent(metrics.get(key)) for key in names.values()]]),
            markdown_table(
                ('class', 'AP'), [(k, _percent(v)) for k, v in evaluation.by_class.items()]
            ),
            markdown_table(('setting', 'value'), rows),
        ]
    )


def _percent(value: float | None) -> str:
    """Write a metric in percent; COCO gives -1 where there are no objects."""
    return '-' if value is None or value < 0 else f'{100 * value:.1f}'


def _annotations(content: Mapping[str, Any], key: Any, labels: Mapping[Any, int]) -> InstanceData:
    objects = [
        o
        for o in content['annotations']
        if o['image_id'] == key and o['category_id'] in labels and not o['iscrowd']
    ]
    boxes = torch.tensor([o['bbox'] for o in objects], dtype=torch.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    of = torch.tensor([labels[o['category_id']] for o in objects], dtype=torch.long)
    return InstanceData(bboxes=boxes, labels=of)


def _precisions(
    content: Mapping[str, Any],
    photos: Sequence[tuple[Path, InstanceData]],
    found: Sequence[InstanceData],
    num_classes: int,
) -> np.ndarray:
    """Precision over recall at an IoU of 0.5, as COCO interpolates it, (101, classes)."""
    truth: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    for key, ((_, boxes), objects) in enumerate(zip(photos, found), 1):
        for box, label in zip(boxes.bboxes.tolist(), boxes.labels.tolist()):
            x1, y1, x2, y2 = box
            truth.append(
                dict(
                    id=len(truth) + 1, image_id=key, category_id=label + 1, iscrowd=0,
                    bbox=[x1, y1, x2 - x1, y2 - y1], area=(x2 - x1) * (y2 - y1),
                )
            )  # fmt: skip
        for box, label, score in zip(
            objects.bboxes.tolist(), objects.labels.tolist(), objects.scores.tolist()
        ):
            x1, y1, x2, y2 = box
            detections.append(
                dict(
                    image_id=key, category_id=label + 1, score=score,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                )
            )  # fmt: skip
    if not detections or not truth:
        return np.zeros((101, num_classes))
    coco = COCO()
    coco.dataset = dict(
        info={},
        images=[dict(id=key) for key in range(1, len(photos) + 1)],
        annotations=truth,
        categories=[dict(id=label + 1, name=str(label)) for label in range(num_classes)],
    )
    coco.createIndex()
    evaluation = COCOeval(coco, coco.loadRes(detections), 'bbox')
    evaluation.params.iouThrs = np.array([0.5])
    evaluation.params.maxDets = [100]
    evaluation.params.areaRng = evaluation.params.areaRng[:1]
    evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation.eval['precision'][0, :, :, 0, 0]
