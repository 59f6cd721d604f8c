"""Label files of YOLO and PASCAL VOC as programs write them, not as their pages say."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from mmpixcon.datasets.checks.box_files import class_names, read_voc, read_yolo

VOC = (
    '<annotation><filename>photo.jpg</filename>'
    '<size><width>80</width><height>60</height></size>'
    '<object><name>cat</name><bndbox><xmin>5</xmin><ymin>6.5</ymin><xmax>30</xmax>'
    '<ymax>40</ymax></bndbox></object></annotation>'
)


def yolo(path, text, keypoints=False):
    path.write_bytes(text.encode())
    boxes = read_yolo(path, 'a.jpg', (80, 60), keypoints).boxes
    return [(b.label, *(round(v, 6) for v in (b.xmin, b.ymin, b.width, b.height))) for b in boxes]


@pytest.mark.parametrize(
    'text',
    [
        '0 0.5 0.5 0.2 0.2\n',
        '\ufeff0 0.5 0.5 0.2 0.2\r\n\r\n',
        '0.0\t0.5 0.5 0.2 0.2',
        # A polygon, a triangle.
        '0 0.4 0.4 0.6 0.4 0.6 0.6',
    ],
)
def test_a_box_of_yolo(text, tmp_path):
    assert yolo(tmp_path / 'a.txt', text) == [('0', 32, 24, 16, 12)]


def test_boxes_and_polygons_in_one_file(tmp_path):
    text = '1 0.5 0.5 0.2 0.2\n0 0.4 0.4 0.6 0.4 0.6 0.6 0.4 0.6\n'
    assert yolo(tmp_path / 'a.txt', text) == [('1', 32, 24, 16, 12), ('0', 32, 24, 16, 12)]
    assert yolo(tmp_path / 'a.txt', '') == []


def test_key_points_are_no_polygon(tmp_path):
    """Two points behind a box, with and without visibility."""
    for points in ('0.1 0.1 0.9 0.9', '0.1 0.1 2 0.9 0.9 2'):
        text = f'0 0.5 0.5 0.2 0.2 {points}'
        assert yolo(tmp_path / 'a.txt', text, keypoints=True) == [('0', 32, 24, 16, 12)]


def test_what_is_not_finite_is_left_to_the_check(tmp_path):
    ((_, xmin, *_),) = yolo(tmp_path / 'a.txt', '0 nan 0.5 0.2 0.2')
    assert math.isnan(xmin)
    assert yolo(tmp_path / 'a.txt', '0 0.5 0.5 -0.2 0.2') == [('0', 48, 24, -16, 12)]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('0 0.5 0.5 0.2 0.2 0.9', 'line 1 has 5 numbers .* Take confidences of predictions out'),
        ('0 0.5 0.5 0.2 0.2\n0 0.5 0.5', 'line 2 has 2 numbers'),
        ('0,0.5,0.5,0.2,0.2', 'line 1'),
        ('cat 0.5 0.5 0.2 0.2', "line 1, 'cat 0.5"),
    ],
)
def test_what_is_no_label_of_yolo(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        yolo(tmp_path / 'a.txt', text)


def test_names_with_gaps():
    assert class_names({2: 'dog', 0: 'cat', 10: 'x'}) == {'0': 'cat', '2': 'dog', '10': 'x'}
    assert class_names(['cat', 1]) == {'0': 'cat', '1': '1'}
    assert class_names(None) is None and class_names({'a': 'b'}) is None


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'JPEGImages'
    folder.mkdir()
    cv2.imwrite(str(folder / 'photo.jpg'), np.zeros((60, 80, 3), np.uint8))
    return folder


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('', ''),
        # labelImg writes 0 where it could not read the image.
        ('>80<', '>0<'),
        ('<size><width>80</width><height>60</height></size>', ''),
        ('photo.jpg', 'C:\\\\mine\\photo.jpg'),
        ('photo.jpg', 'photo.png'),
        ('<filename>photo.jpg</filename>', ''),
        ('<annotation>', '<?xml version="1.0" encoding="ISO-8859-1"?>\n<annotation><note>ü</note>'),
    ],
)
def test_voc_as_it_is_found(old, new, photos, tmp_path):
    path = tmp_path / 'photo.xml'
    path.write_bytes(VOC.replace(old, new, 1).encode('latin1'))
    labels = read_voc(path, photos)
    assert (labels.image_id, labels.image_size) == ('photo.jpg', (80, 60))
    (box,) = labels.boxes
    assert (box.label, box.xmin, box.ymin, box.width, box.height) == ('cat', 5, 6.5, 25, 33.5)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (VOC[:-20], 'it is not XML'),
        (VOC.replace('<name>cat</name>', ''), 'object 1 has no name'),
        (VOC.replace('bndbox', 'polygon'), 'object 1 has no bndbox'),
        (VOC.replace('>5<', '>five<'), 'object 1 has no bndbox'),
    ],
)
def test_what_is_no_label_of_voc(text, message, photos, tmp_path):
    path = tmp_path / 'photo.xml'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_voc(path, photos)


def test_swapped_corners_of_voc_are_left_to_the_check(photos, tmp_path):
    path = tmp_path / 'photo.xml'
    path.write_text(VOC.replace('>5<', '>50<'))
    assert read_voc(path, photos).boxes[0].width == -20
