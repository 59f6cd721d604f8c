"""What importing mmpixcon changes in other packages."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import cv2
import mmcv
import mmcv.ops.multi_scale_deform_attn as deformable
import numpy as np
import pytest
import torch
from PIL import Image

import mmpixcon_ops
from mmpixcon.compat import import_mmselfsup, mend_adjust_hue
from tests.helpers.configs import ROOT

pytestmark = pytest.mark.torch_versions


def test_mmselfsup_is_imported_and_mmcv_left_as_it_was() -> None:
    before = mmcv.__version__
    import_mmselfsup()
    assert mmcv.__version__ == before
    from mmselfsup.registry import MODELS

    assert MODELS.get('DenseCL') is not None


@pytest.mark.parametrize('factor', [-0.5, -0.1, -0.001, 0.0, 0.2, 0.5])
@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_hue_turns_both_ways(backend: str, factor: float) -> None:
    """Against the hue turned in HSV, modulo 256."""
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    turn = int(factor * 255)
    if backend == 'cv2':
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV_FULL)
        hsv[..., 0] = (hsv[..., 0].astype(int) + turn) % 256
        expected = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)
    else:
        hsv = np.array(Image.fromarray(np.ascontiguousarray(image[..., ::-1])).convert('HSV'))
        hsv[..., 0] = (hsv[..., 0].astype(int) + turn) % 256
        expected = np.array(Image.fromarray(hsv, 'HSV').convert('RGB'))[..., ::-1]
    processing = importlib.import_module('mmselfsup.datasets.transforms.processing')
    for module in (mmcv, mmcv.image, processing):
        np.testing.assert_array_equal(module.adjust_hue(image, factor, backend), expected)


def test_hue_refuses_what_it_refused() -> None:
    with pytest.raises(ValueError, match='hue_factor'):
        mmcv.adjust_hue(np.zeros((1, 1, 3), np.uint8), -0.6)


def test_hue_is_mended_once() -> None:
    before = mmcv.adjust_hue
    mend_adjust_hue()
    assert mmcv.adjust_hue is before


def test_color_jitter_of_mmselfsup_runs() -> None:
    """The stock transform, which died at random under numpy 2."""
    from mmselfsup.registry import TRANSFORMS

    jitter = TRANSFORMS.build(dict(type='mmcls.ColorJitter', hue=0.5))
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.random.seed(0)
    changed = [jitter(dict(img=image.copy()))['img'] for _ in range(20)]
    assert len({one.tobytes() for one in changed}) > 10


@pytest.mark.skipif(mmpixcon_ops.operators() == 'mmcv', reason='a compiled mmcv is left as it is')
def test_locations_keep_their_precision() -> None:
    """Values in bfloat16, locations in float32: each cell of a wide map is hit."""
    width = 152
    value = torch.arange(width, dtype=torch.bfloat16).view(1, width, 1, 1).expand(1, -1, 1, 8)
    shapes = torch.tensor([[1, width]])
    queries = torch.arange(width)
    x = (queries + 0.5) / width
    locations = torch.stack([x, torch.full_like(x, 0.5)], -1).view(1, width, 1, 1, 1, 2)
    weights = torch.ones(1, width, 1, 1, 1)
    output = deformable.MultiScaleDeformableAttnFunction.apply(
        value.contiguous(), shapes, torch.tensor([0]), locations, weights, 64
    )
    torch.testing.assert_close(output[0, :, 0], value[0, :, 0, 0], atol=0.02, rtol=0)


@pytest.mark.slow
def test_importing_changes_what_the_docs_list():
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-m', 'tests.helpers.snapshot'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    changed = set(json.loads(done.stdout.splitlines()[-1]))
    adjust_hue = {f'mmcv.{place}adjust_hue' for place in ('', 'image.', 'image.photometric.')}
    attention = 'mmcv.ops.multi_scale_deform_attn.MultiScaleDeformableAttnFunction'
    # Of numpy 2, and without a compiled mmcv.
    optional = {key for key in changed if key in adjust_hue or key.startswith(attention)}
    loaders = {key for key in changed if key.startswith('CheckpointLoader: ')}
    assert 'CheckpointLoader: ' in loaders
    assert changed - optional - loaders == {
        'MODULE2PACKAGE: mmpixcon',
        'mmdet::model: ResLayerExtraNorm',
        'mmengine.model.base_model.data_preprocessor.BaseDataPreprocessor.cast_data',
        'mmengine::weight initializer: Pretrained',
    }
    page = (ROOT / 'docs' / 'architecture.md').read_text()
    for key in changed - loaders:
        names = key.removesuffix('.forward').removesuffix('.backward').split(': ')[-1].split('.')
        assert any(f'{name}`' in page or f'`{name}' in page for name in names[-2:]), key
