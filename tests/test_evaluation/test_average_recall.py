"""Average recall at 1, 10 and 100 detections, against counting by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmpixcon.evaluation import CocoRecallMetric

CLASSES = ('a', 'b')


@pytest.fixture
def annotations(tmp_path):
    """Two images with 12 objects of the first class and 2 of the second in total."""
    path = tmp_path / 'coco.json'
    boxes = []
    for image, count in ((1, 8), (2, 4)):
        places = [[50 * i, 0, 40, 40] for i in range(count)]
        boxes += [dict(image_id=image, category_id=1, bbox=place) for place in places]
        boxes.append(dict(image_id=image, category_id=2, bbox=[0, 100, 40, 40]))
    for number, box in enumerate(boxes, 1):
        box.update(id=number, area=1600, iscrowd=0)
    content = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=500, height=500) for i in (1, 2)],
        annotations=boxes,
        categories=[dict(id=i + 1, name=name) for i, name in enumerate(CLASSES)],
    )
    path.write_text(json.dumps(content))
    return path


def evaluate(path, actual, **options):
    """Of detections (label, box) of each image, the best first."""
    metric = CocoRecallMetric(ann_file=str(path), **options)
    metric.dataset_meta = dict(classes=CLASSES)
    samples = []
    for image, detections in actual.items():
        boxes = np.array([box for _, box in detections], np.float32).reshape(-1, 4)
        labels = np.array([label for label, _ in detections])
        scores = np.linspace(0.9, 0.1, len(detections))
        predicted = dict(img_id=image, bboxes=boxes, labels=labels, scores=scores)
        truth = dict(img_id=image, width=500, height=500)
        samples.append((truth, predicted))
    return metric.compute_metrics(samples)


def test_recall_with_the_best_detections_of_each_class(annotations):
    exact = {1: [(0, [50 * i, 0, 50 * i + 40, 40]) for i in range(8)], 2: []}
    # The other class: of one of two images, with an IoU of 0.8, right at 7 of 10 thresholds.
    exact[1].append((1, [0, 100, 32, 140]))
    result = evaluate(annotations, exact)
    first, second = {1: 1 / 12, 10: 8 / 12, 100: 8 / 12}, 0.7 / 2
    for count, recall in first.items():
        assert result[f'bbox_AR@{count}'] == pytest.approx((recall + second) / 2, abs=1e-3)
    names = {'bbox_AR@1', 'bbox_AR@10', 'bbox_AR@100'}
    assert set(result) == names | {f'bbox_{item}' for item in CocoRecallMetric.ITEMS}
    # Precision is 1 up to these recalls, 0 above, at COCO's 101 points.
    ap = (67 / 101 + 0.7 * 51 / 101) / 2
    assert result['bbox_mAP'] == pytest.approx(ap, abs=2e-3)


def test_numbers_are_what_they_are_called(annotations):
    exact = {1: [(0, [50 * i, 0, 50 * i + 40, 40]) for i in range(8)], 2: []}
    result = evaluate(annotations, exact, num_detections=(2, 5, 100))
    recalls = [result[f'bbox_AR@{count}'] for count in (2, 5, 100)]
    assert recalls == pytest.approx([2 / 24, 5 / 24, 8 / 24], abs=1e-3)


def test_settings_are_checked(annotations):
    for numbers in ((1, 10), (10, 1, 100), (1, 10, 300)):
        with pytest.raises(ValueError, match=r'num_detections = .* three rising numbers'):
            CocoRecallMetric(ann_file=str(annotations), num_detections=numbers)
    with pytest.raises(ValueError, match=r"metric = \['segm'\] must be 'bbox'"):
        CocoRecallMetric(ann_file=str(annotations), metric='segm')
