"""Numbers and pictures of an evaluation, against COCO's own and by hand."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import InstanceData

from mmpixcon.evaluation.confusion import confusion_matrix
from mmpixcon.fitting.data import prepare_data
from mmpixcon.fitting.results import evaluate, load_report, write_results
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.detectors import save_detector

BCCD = ROOT / 'examples' / 'bccd'
STOCK = CONFIGS / 'stock' / 'faster-rcnn_r18_fpn_1xb8-24e_bccd.py'


def boxes(*corners: tuple[float, float, float, float]) -> torch.Tensor:
    return torch.tensor(corners).reshape(-1, 4)


def test_confusion_counts_each_object_once():
    annotated = InstanceData(
        bboxes=boxes((0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)),
        labels=torch.tensor([0, 1, 1]),
    )
    found = InstanceData(
        # Right; of another class; the first one again; below the threshold.
        bboxes=boxes((0, 0, 10, 10), (20, 0, 30, 10), (0, 0, 10, 9), (40, 0, 50, 10)),
        labels=torch.tensor([0, 0, 0, 1]),
        scores=torch.tensor([0.9, 0.8, 0.7, 0.1]),
    )
    assert confusion_matrix([(annotated, found)], 2).tolist() == [[1, 0, 0], [1, 0, 1], [1, 0, 0]]
    none = InstanceData(bboxes=boxes(), labels=torch.zeros(0).long(), scores=torch.zeros(0))
    assert confusion_matrix([(annotated, none)], 2).tolist() == [[0, 0, 1], [0, 0, 2], [0, 0, 0]]
    assert confusion_matrix([(none, found)], 2).tolist() == [[0, 0, 0], [0, 0, 0], [3, 0, 0]]


def test_precisions_are_those_that_coco_averages(tmp_path, monkeypatch):
    checkpoint = save_detector(STOCK, tmp_path / 'epoch_1.pth')
    content = json.loads((BCCD / 'val.json').read_text())
    images = content['images'][:4]
    keys = {image['id'] for image in images}
    objects = [a for a in content['annotations'] if a['image_id'] in keys]
    path = tmp_path / 'val.json'
    # No object of the last class is left in what is evaluated.
    last = content['categories'][-1]
    objects = [a for a in objects if a['category_id'] != last['id']]
    path.write_text(json.dumps(dict(content, images=images, annotations=objects)))

    def shifted(detector, image, tile=None):
        """Find what is annotated, moved, and some of it of another class."""
        key = images[shifted.calls]['id']
        shifted.calls += 1
        of = [o for o in objects if o['image_id'] == key]
        corners = torch.tensor([o['bbox'] for o in of])
        corners[:, 2:] += corners[:, :2]
        number = torch.arange(len(of))
        labels = torch.tensor([o['category_id'] for o in of])
        labels -= min(c['id'] for c in content['categories'])
        labels = torch.where(number % 4 == 3, (labels + 1) % 3, labels)
        scores = 1 - number / (len(of) + 1)
        moved = corners + (number % 5)[:, None].float() * 4
        return SimpleNamespace(
            pred_instances=InstanceData(bboxes=moved, labels=labels, scores=scores)
        )

    shifted.calls = 0
    monkeypatch.setattr('mmpixcon.apis.detection.Detector.detect', shifted)
    evaluation = evaluate(checkpoint, path, BCCD / 'images', 'cpu')
    assert 0.05 < evaluation.metrics['coco/bbox_mAP'] < 0.95
    # AP50 is the mean of the precisions at 101 recalls, over the classes.
    assert evaluation.precisions[:, :-1].mean() == pytest.approx(
        evaluation.metrics['coco/bbox_mAP_50'], abs=1e-3
    )
    assert evaluation.by_class[last['name']] == -1
    files = write_results(evaluation, tmp_path, [('seed', 0)], 'all of 3 tensors')
    assert {file.name for file in files} == {
        'results.md', 'precision_recall.png', 'confusion.png', 'detections.png', 'load_report.txt',
    }  # fmt: skip
    text = (tmp_path / 'results.md').read_text()
    assert f'| {100 * evaluation.metrics["coco/bbox_mAP"]:.1f} |' in text
    assert '| seed | 0 |' in text
    assert f'| {last["name"]} | - |' in text


def test_perfect_detections_of_a_validation_in_another_order(tmp_path, monkeypatch, capfd):
    """From the labels as they are given to the numbers of ``mmpixcon fit``."""
    content = json.loads((BCCD / 'val.json').read_text())
    content['images'] = content['images'][:4]
    keys = {image['id'] for image in content['images']}
    objects = [a for a in content['annotations'] if a['image_id'] in keys]
    content.update(annotations=objects, categories=content['categories'][::-1])
    (tmp_path / 'images').symlink_to(BCCD / 'images')
    (tmp_path / 'val.json').write_text(json.dumps(content))
    data = prepare_data(BCCD / 'train.json', tmp_path / 'val.json', None, tmp_path / 'data')
    names = {category['id']: category['name'] for category in content['categories']}
    images = iter(content['images'])

    def detect(detector, image, tile=None):
        key = next(images)['id']
        of = [o for o in objects if o['image_id'] == key]
        corners = torch.tensor([o['bbox'] for o in of]).float()
        corners[:, 2:] += corners[:, :2]
        labels = torch.tensor([data.classes.index(names[o['category_id']]) for o in of])
        found = InstanceData(bboxes=corners, labels=labels, scores=torch.ones(len(of)))
        return SimpleNamespace(pred_instances=found)

    monkeypatch.setattr('mmpixcon.apis.detection.Detector.detect', detect)
    checkpoint = save_detector(STOCK, tmp_path / 'epoch_1.pth')
    capfd.readouterr()
    evaluation = evaluate(checkpoint, data.val, data.val_images, 'cpu')
    # The command tells the numbers itself.
    printed = capfd.readouterr()
    assert printed.out == '' and 'evaluating: 4/4 images' in printed.err
    assert evaluation.metrics['coco/bbox_mAP'] == 1
    assert set(evaluation.by_class.values()) == {1.0}


def test_reports_of_loading_are_taken_from_the_log(tmp_path):
    log = tmp_path / 'console.log'
    log.write_text(
        '2026/11/27 20:05:08 - mmengine - INFO - 240 of 240 tensors of A (100%) found in x.pth\n'
        'module  loaded\nall  240\n\n2026/11/27 20:05:09 - mmengine - INFO - else\n'
    )
    assert (
        load_report(log)
        == '240 of 240 tensors of A (100%) found in x.pth\nmodule  loaded\nall  240'
    )
    assert load_report(tmp_path / 'gone.log') == ''
