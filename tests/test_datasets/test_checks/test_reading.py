"""COCO files in several encodings, and files that are none."""

import json

import pytest

from mmpixcon.datasets.checks.reading import read_coco


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_encodings(tmp_path, content, encoding):
    content['categories'][0]['name'] = 'Käfer'
    path = tmp_path / 'train.json'
    path.write_text(json.dumps(content, ensure_ascii=False), encoding=encoding)
    assert read_coco(path) == content


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (b'', 'is empty. Export or copy it again'),
        ('{"images": "Käfer"}'.encode('latin-1'), r'not UTF-8 \(byte 13\).*iconv -f cp1252'),
        (b'{"images": [{"id": 1', 'line 1, column 21.*ends too early'),
        (b'{"images": [,]}', 'line 1, column 13'),
        (b'[{"image_id": 1}]', 'is a list, as COCO has it for results'),
        (b'{"images": []}', 'no list of annotations and of categories.*its keys are .images.'),
        (b'{"images": [3], "annotations": [], "categories": []}', 'images has an entry .*: 3'),
    ],
)
def test_what_is_no_coco_file(tmp_path, data, message):
    path = tmp_path / 'train.json'
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_coco(path)
