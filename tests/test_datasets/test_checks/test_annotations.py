"""Each kind of problem is found, counted, named, and mended or refused."""

from __future__ import annotations

import copy
import math

import pytest

from mmpixcon.datasets.checks.annotations import clean_annotations
from mmpixcon.datasets.checks.problems import Level


def check(content, **kwargs):
    before = copy.deepcopy(content)
    cleaned, report = clean_annotations(content, 'train.json', **kwargs)
    assert repr(content) == repr(before)
    return cleaned, report


def problem(report, kind):
    found = [p for p in report.problems if p.kind == kind]
    assert len(found) == 1, [str(p) for p in report.problems]
    return found[0]


def test_good_labels_stay(content):
    cleaned, report = check(content, with_masks=True)
    assert not report.problems
    assert cleaned == content
    assert report.classes == {'cat': 6, 'dog': 6}
    assert report.numbers['images'] == 6 and report.numbers['objects'] == 12


def test_images_that_share_an_id(content):
    for image in content['images'][:3]:
        image['id'] = 10
    _, report = check(content)
    assert problem(report, 'duplicate image id').level is Level.FATAL
    assert 'id 10: 10.png, 11.png, 12.png' in str(report.fatal[0])


def test_images_without_an_id(content):
    del content['images'][2]['id']
    _, report = check(content)
    assert '1 image has no id' in str(problem(report, 'missing image id'))


def test_ids_of_two_types(content):
    content['images'][0]['id'] = '10'
    _, report = check(content)
    assert 'int and str' in str(problem(report, 'image ids of several types'))


def test_a_file_that_is_listed_twice_gets_all_of_its_objects(content):
    content['images'][1]['file_name'] = '10.png'
    cleaned, report = check(content)
    assert problem(report, 'file listed twice').level is Level.MENDED
    assert [image['id'] for image in cleaned['images']] == [10, 12, 13, 14, 15]
    assert sum(entry['image_id'] == 10 for entry in cleaned['annotations']) == 4


def test_backslashes(content):
    content['images'][0]['file_name'] = 'sub\\10.png'
    cleaned, report = check(content)
    assert problem(report, 'backslash in a path').count == 1
    assert cleaned['images'][0]['file_name'] == 'sub/10.png'


def test_sizes_come_from_the_files(content):
    for image in content['images']:
        del image['width'], image['height']
    cleaned, report = check(content, size_of=lambda name: (80, 60))
    assert problem(report, 'missing size').level is Level.MENDED
    assert [(i['width'], i['height']) for i in cleaned['images']] == [(80, 60)] * 6
    _, report = check(content, size_of=lambda name: None)
    assert problem(report, 'missing size').level is Level.FATAL


def test_objects_of_no_image(content):
    content['annotations'][0]['image_id'] = 99
    cleaned, report = check(content)
    assert problem(report, 'object without an image').level is Level.LEFT_OUT
    assert len(cleaned['annotations']) == 11
    for entry in content['annotations']:
        entry['image_id'] = str(entry['image_id'])
    _, report = check(content)
    assert '1 is not "1"' in str(problem(report, 'object without an image'))
    assert report.fatal


def test_classes_counted_from_zero(content):
    for entry in content['annotations']:
        entry['category_id'] -= 1
    _, report = check(content)
    lost = problem(report, 'object without a class')
    assert lost.level is Level.FATAL and lost.count == 6
    assert 'category_id 0: 6 objects' in str(lost) and 'ids 1, 2' in str(lost)


@pytest.mark.parametrize('key', ['id', 'name'])
def test_classes_that_share_an_id_or_a_name(content, key):
    content['categories'][1][key] = content['categories'][0][key]
    _, report = check(content)
    assert problem(report, f'duplicate class {key}').level is Level.FATAL


def test_a_root_is_no_class(content):
    content['categories'].insert(0, dict(id=0, name='animals', supercategory='none'))
    for category in content['categories'][1:]:
        category['supercategory'] = 'animals'
    cleaned, report = check(content)
    assert problem(report, 'class above others').level is Level.MENDED
    assert [category['name'] for category in cleaned['categories']] == ['cat', 'dog']


def test_an_unused_class_stays_one(content):
    content['categories'].append(dict(id=3, name='Cat '))
    cleaned, report = check(content)
    assert not report.fatal and len(cleaned['categories']) == 3
    assert problem(report, 'class without objects').examples == ('Cat ',)
    assert problem(report, 'class names that look alike').examples == ("'Cat '", "'cat'")


def test_bad_boxes_are_left_out(content):
    boxes = [[5, 6, 20, 0], [5, 6, math.nan, 4], [-500, 6, 20, 10], [70, 6, 20, 10], [1, 2, 3]]
    for entry, box in zip(content['annotations'], boxes, strict=False):
        entry['bbox'] = box
        del entry['segmentation']
    cleaned, report = check(content)
    counts = {p.kind: (p.level, p.count) for p in report.problems}
    assert counts == {
        'missing box': (Level.LEFT_OUT, 1),
        'empty box': (Level.LEFT_OUT, 1),
        'box that is no number': (Level.LEFT_OUT, 1),
        'box outside the image': (Level.LEFT_OUT, 1),
        'box beyond the image': (Level.NOTE, 1),
    }
    assert len(cleaned['annotations']) == 12 - 4


def test_a_box_is_made_from_polygons(content):
    del content['annotations'][0]['bbox'], content['annotations'][0]['area']
    cleaned, report = check(content)
    assert problem(report, 'missing box').level is Level.MENDED
    assert cleaned['annotations'][0]['bbox'] == [5, 6, 20, 10]
    assert cleaned['annotations'][0]['area'] == 200


def test_boxes_between_0_and_1(content):
    for entry in content['annotations']:
        x, y, width, height = entry['bbox']
        entry['bbox'] = [x / 80, y / 60, width / 80, height / 60]
    _, report = check(content)
    assert problem(report, 'normalized boxes').level is Level.FATAL


def test_boxes_as_corners(content):
    for entry in content['annotations']:
        x, y, width, height = entry['bbox']
        entry['bbox'] = [x, y, x + width, y + height]
    _, report = check(content)
    assert problem(report, 'boxes as corners').level is Level.FATAL
    assert 'subtract the first corner' in str(report.fatal[0])


def test_missing_keys_are_filled_in(content):
    for entry in content['annotations']:
        del entry['area'], entry['iscrowd'], entry['id']
    cleaned, report = check(content)
    assert {p.kind for p in report.problems} == {'missing area', 'duplicate object id'}
    assert [entry['id'] for entry in cleaned['annotations']] == list(range(1, 13))
    assert {entry['area'] for entry in cleaned['annotations']} == {200, 600}
    assert {entry['iscrowd'] for entry in cleaned['annotations']} == {0}


def test_nothing_but_crowds(content):
    for entry in content['annotations']:
        entry['iscrowd'] = 1
    _, report = check(content)
    assert 'all 12 objects are crowds' in str(problem(report, 'nothing but crowds'))
    content['annotations'][0]['iscrowd'] = 0
    _, report = check(content)
    assert not report.problems and report.numbers['crowds'] == 11


def test_no_objects_and_no_images(content):
    content['annotations'] = []
    _, report = check(content)
    assert problem(report, 'nothing to learn').level is Level.FATAL
    # Photos to test on have none.
    _, report = check(content, needs_objects=False)
    assert problem(report, 'nothing to learn').level is Level.NOTE
    content['images'] = []
    _, report = check(content)
    assert problem(report, 'no images').level is Level.FATAL


def test_masks_that_are_missing_or_do_not_fit(content):
    content['annotations'][0]['segmentation'] = []
    del content['annotations'][1]['segmentation']
    content['annotations'][2]['segmentation'] = dict(size=[60, 81], counts=[60 * 81])
    content['annotations'][3]['segmentation'] = dict(size=[60, 80], counts=[60 * 80])
    cleaned, report = check(content, with_masks=True)
    assert problem(report, 'missing mask').count == 2
    assert problem(report, 'mask of another size').count == 1
    assert not report.fatal and len(cleaned['annotations']) == 9
    for entry in content['annotations']:
        entry['segmentation'] = []
    _, report = check(content, with_masks=True)
    assert 'train a detector of boxes' in str(report.fatal[0])
    # Boxes do not need them.
    _, report = check(content)
    assert not report.problems
