"""``mmpixcon export``: files that detect what the detector does, or none."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmengine.registry import init_default_scope
from typer.testing import CliRunner

from mmpixcon.apis.export import ExportError, compare, pool_every_level
from mmpixcon.commands.app import app
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.detectors import save_detector

PHOTOS = [str(path) for path in sorted((ROOT / 'examples' / 'bccd' / 'images').glob('*.jpg'))[:2]]


def run(*arguments):
    return CliRunner().invoke(app, ['export', *map(str, arguments)])


@pytest.mark.slow
@pytest.mark.parametrize(
    'name',
    [
        'stock/detr_r18_1xb8-24e_bccd',
        'stock/deformable-detr_r18_1xb8-24e_bccd',
        'stock/faster-rcnn_r18_fpn_1xb8-24e_bccd',
    ],
)
def test_the_file_detects_the_same(name, tmp_path):
    onnxruntime = pytest.importorskip('onnxruntime', reason="pip install 'mmpixcon[export]'")
    checkpoint = save_detector(CONFIGS / f'{name}.py', tmp_path / 'epoch_1.pth', True)
    result = run(checkpoint, *PHOTOS, '--json')
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content['size'] == [320, 256] and content['order'] == 'RGB'
    assert content['detections'] > 20
    assert content['difference_of_boxes'] < 0.1 and content['difference_of_scores'] < 1e-3
    session = onnxruntime.InferenceSession(str(tmp_path / 'epoch_1.onnx'))
    (image,) = session.get_inputs()
    assert image.shape == [1, 3, 256, 320]
    assert [output.name for output in session.get_outputs()] == ['boxes', 'scores', 'labels']
    assert json.loads((tmp_path / 'epoch_1.json').read_text()) == content


def test_every_level_is_pooled():
    """Features are those of mmdet, also if a level, or the whole image, has no region."""
    init_default_scope('mmdet')
    extractor = SingleRoIExtractor(
        dict(type='RoIAlign', output_size=7, sampling_ratio=0), 8, [4, 8, 16, 32]
    )
    torch.manual_seed(0)
    feats = [torch.randn(1, 8, side, side) for side in (64, 32, 16, 8)]
    sides = torch.tensor([20.0, 100.0, 30.0, 250.0, 120.0])
    for chosen in (sides, sides[:1], sides[:0]):
        corners = torch.rand(len(chosen), 2) * 5
        rois = torch.cat([chosen[:, None] * 0, corners, corners + chosen[:, None]], 1)
        assert torch.equal(pool_every_level(extractor, feats, rois), extractor(feats, rois))


@pytest.mark.slow
def test_what_would_detect_something_else_is_refused(tmp_path, monkeypatch):
    def pool_nothing(self, feats, rois, roi_scale_factor=None):
        return feats[0].new_zeros(len(rois), self.out_channels, 7, 7)

    monkeypatch.setattr('mmpixcon.apis.export.pool_every_level', pool_nothing)
    pytest.importorskip('onnxruntime', reason="pip install 'mmpixcon[export]'")
    checkpoint = save_detector(
        CONFIGS / 'stock/faster-rcnn_r18_fpn_1xb8-24e_bccd.py', tmp_path / 'epoch_1.pth', True
    )
    result = run(checkpoint, *PHOTOS)
    assert result.exit_code == 3
    assert 'What is tested to work: Faster R-CNN' in result.output
    assert not list(tmp_path.glob('*.onnx*'))


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr('mmpixcon.apis.export.PACKAGES', ('no_such_package',))
    checkpoint = save_detector(
        CONFIGS / 'stock/detr_r18_1xb8-24e_bccd.py', tmp_path / 'epoch_1.pth', True
    )
    result = run(checkpoint)
    assert result.exit_code == 2
    assert "exporting needs no_such_package: pip install 'mmpixcon[export]'" in result.output


def test_detections_are_compared_whatever_their_order():
    boxes = np.array([[0, 0, 9, 9], [20, 20, 40, 40], [5, 5, 6, 6]], np.float32)
    scores, labels = np.array([0.9, 0.8, 0.01], np.float32), np.array([0, 1, 0])
    other = boxes[[1, 0, 2]] + np.float32(0.05), scores[[1, 0, 2]], labels[[1, 0, 2]]
    number, of_boxes, of_scores = compare((boxes, scores, labels), other)
    assert number == 2
    assert of_boxes == pytest.approx(0.05, abs=1e-5) and of_scores == 0
    with pytest.raises(ExportError, match='does not have the detection of class 1'):
        compare((boxes, scores, labels), (boxes, scores, labels * 0))
    more = np.full_like(scores, 0.5)
    with pytest.raises(ExportError, match='does not have the detection'):
        compare((boxes, scores, labels), (boxes, more, labels))
    twice = tuple(np.concatenate([part, part]) for part in (boxes, scores, labels))
    with pytest.raises(ExportError, match='4 detections in place of 2'):
        compare((boxes, scores, labels), twice)
