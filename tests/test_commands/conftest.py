"""A few photos with labels."""

from __future__ import annotations

import json

import pytest

from tests.helpers.configs import ROOT

BCCD = ROOT / 'examples' / 'bccd'


@pytest.fixture(scope='module')
def cells(tmp_path_factory):
    """Ten photos of BCCD to train on, and three to validate on."""
    folder = tmp_path_factory.mktemp('cells')
    content = json.loads((BCCD / 'val.json').read_text())
    for name, images in (('train', content['images'][:10]), ('val', content['images'][10:13])):
        keys = {image['id'] for image in images}
        part = dict(
            content,
            images=images,
            annotations=[a for a in content['annotations'] if a['image_id'] in keys],
        )
        (folder / f'{name}.json').write_text(json.dumps(part))
    (folder / 'images').symlink_to(BCCD / 'images')
    return folder
