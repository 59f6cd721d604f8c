"""Shapes of Labelme and CVAT: those with an area become boxes, the others are counted."""

from __future__ import annotations

import json
import math

import cv2
import numpy as np
import pytest

from mmpixcon.datasets.checks.annotations import clean_annotations
from mmpixcon.datasets.checks.shape_files import read_cvat, read_labelme
from mmpixcon.datasets.checks.source import to_coco


def shape(kind, points, **others):
    return dict(dict(label='cat', points=points, shape_type=kind), **others)


def labelme(folder, *shapes, **others):
    cv2.imwrite(str(folder / 'a.png'), np.zeros((60, 80, 3), np.uint8))
    content = dict(imagePath='a.png', imageWidth=80, imageHeight=60, shapes=shapes) | others
    (folder / 'a.json').write_text(json.dumps(content))
    return read_labelme(folder / 'a.json', folder)


def corners(labels):
    return [(b.xmin, b.ymin, b.width, b.height) for b in labels.boxes]


def test_shapes_of_labelme(tmp_path):
    labels = labelme(
        tmp_path,
        shape('rectangle', [[30, 40], [5, 6]]),
        shape('polygon', [[5, 6], [30, 6], [30, 40]]),
        shape('mask', [[5, 6], [30, 40]], mask='...'),
        dict(label=3, points=[[5, 6], [30, 6], [30, 40]]),
        shape('circle', [[20, 30], [23, 34]]),
        shape('point', [[1, 1]]),
        shape('linestrip', [[1, 1], [9, 9]]),
    )
    assert corners(labels) == [(5, 6, 25, 34)] * 4 + [(15, 25, 10, 10)]
    assert [box.label for box in labels.boxes] == ['cat', 'cat', 'cat', '3', 'cat']
    assert labels.left_out == ('point', 'linestrip')


@pytest.mark.parametrize(
    'others',
    [
        dict(imagePath='..\\photos\\a.png'),
        dict(imagePath=None, imageWidth=None, imageHeight=None),
        dict(imagePath='b.jpg', imageWidth=0),
    ],
)
def test_photos_and_sizes_of_labelme(others, tmp_path):
    labels = labelme(tmp_path, **others)
    assert (labels.image_id, labels.image_size) == ('a.png', (80, 60))


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (shape('rectangle', []), 'shape 1 has no points'),
        (shape('rectangle', [[1, 2, 3]]), 'shape 1 has no points'),
        (shape('rectangle', [[1, 2], [3, 4]], label=None), 'shape 1 has no label'),
        ('cat', 'shape 1 has no points'),
    ],
)
def test_what_is_no_shape_of_labelme(wrong, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        labelme(tmp_path, wrong)


def cvat(folder, body, image='name="a.png" width="80" height="60"'):
    path = folder / 'annotations.xml'
    path.write_text(f'<annotations><image {image}>{body}</image></annotations>')
    (labels,) = read_cvat(path)
    return labels


BOX = '<box label="cat" xtl="5" ytl="6" xbr="30" ybr="40" rotation="{}"/>'


def test_shapes_of_cvat(tmp_path):
    labels = cvat(
        tmp_path,
        BOX.format('0')
        + '<polygon label="cat" points="5,6;30,6;30,40"/>'
        + '<mask label="cat" rle="1" left="5" top="6" width="25" height="34"/>'
        + '<ellipse label="cat" cx="17.5" cy="23" rx="12.5" ry="17"/>'
        + BOX.format('180')
        + '<tag label="x"/><points label="cat" points="5,6"/><polyline label="cat" points="5,6"/>',
    )
    np.testing.assert_allclose(corners(labels), [(5, 6, 25, 34)] * 5)
    assert labels.left_out == ('points', 'polyline')


def test_a_turned_box_is_inside_its_box(tmp_path):
    """Against its four corners, turned one by one."""
    ((xmin, ymin, width, height),) = corners(cvat(tmp_path, BOX.format(30)))
    turn = math.radians(30)
    points = [
        (
            17.5 + x * math.cos(turn) - y * math.sin(turn),
            23 + x * math.sin(turn) + y * math.cos(turn),
        )
        for x in (-12.5, 12.5)
        for y in (-17, 17)
    ]
    xs, ys = zip(*points, strict=True)
    assert (xmin, ymin) == pytest.approx((min(xs), min(ys)))
    assert (xmin + width, ymin + height) == pytest.approx((max(xs), max(ys)))


def test_a_turned_ellipse_touches_its_box(tmp_path):
    ellipse = '<ellipse label="cat" cx="40" cy="30" rx="20" ry="5" rotation="30"/>'
    ((xmin, ymin, width, height),) = corners(cvat(tmp_path, ellipse))
    angles, turn = np.linspace(0, 2 * np.pi, 100001), math.radians(30)
    x = 20 * np.cos(angles) * math.cos(turn) - 5 * np.sin(angles) * math.sin(turn)
    y = 20 * np.cos(angles) * math.sin(turn) + 5 * np.sin(angles) * math.cos(turn)
    expected = (40 + x.min(), 30 + y.min(), np.ptp(x), np.ptp(y))
    assert (xmin, ymin, width, height) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ('body', 'message'),
    [
        (BOX.replace('xtl="5" ', '').format(0), 'a box of image a.png cannot be read'),
        ('<polygon label="cat" points="5;6"/>', 'a polygon of image a.png cannot be read'),
        ('</image><track/><image>', 'tracks of a video'),
        ('<box', 'it is not XML'),
    ],
)
def test_what_is_no_file_of_cvat(body, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        cvat(tmp_path, body)


def test_what_is_left_out_is_counted(tmp_path):
    points = shape('point', [[1, 1]])
    labels = labelme(tmp_path, shape('rectangle', [[5, 6], [30, 40]]), points, points)
    content, report = clean_annotations(to_coco([labels], None), 'labels')
    texts = {problem.kind: str(problem) for problem in report.problems}
    assert '2 shapes are not boxes, polygons or masks: point: 2' in texts['shape without an area']
    assert len(content['annotations']) == 1 and 'left_out' not in content
