"""Backbones compute the same in the libraries that they are converted for, and back."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
import torch
import torchvision
from mmdet.models.backbones.swin import swin_converter
from torch import Tensor, nn

from mmpixcon.conversion import convert
from mmpixcon.conversion.backbones import identify
from mmpixcon.conversion.layouts import METHOD
from mmpixcon.registry import MODELS
from tests.helpers.conversion import backbone, prefixed, randomized, same
from tests.helpers.timm_models import FAMILIES, timm_backbone

timm = pytest.importorskip('timm', reason='requirements/tests.txt')
safetensors = pytest.importorskip('safetensors.torch', reason='requirements/tests.txt')


def saved(model: nn.Module, tmp_path: Path) -> Path:
    """A checkpoint as a runner writes it."""
    path = tmp_path / 'epoch_1.pth'
    state = prefixed(model.state_dict(), 'backbone.')
    torch.save(dict(state_dict=state | {'head.fc.weight': torch.zeros(1)}, meta={}), path)
    return path


def maps(model: nn.Module, library: str, images: Tensor) -> list[Tensor]:
    """Maps of the four stages of a torchvision or timm ResNet."""
    model.train(False)
    if library == 'torchvision':
        actual: list[Tensor] = []
        for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
            stage.register_forward_hook(lambda _, __, output: actual.append(output))
        model.fc = nn.Identity()
        model(images)
        return actual
    return model.forward_intermediates(images, indices=[1, 2, 3, 4], intermediates_only=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('library', 'name'),
    [
        ('torchvision', 'resnet18'),
        ('torchvision', 'resnet50'),
        ('torchvision', 'resnet101'),
        ('timm', 'resnet34'),
        ('timm', 'resnet50'),
    ],
)
def test_resnets(library: str, name: str, tmp_path: Path) -> None:
    ours = backbone(name)
    out = tmp_path / 'out.safetensors'
    done = convert(saved(ours, tmp_path), library, out)
    assert done.backbone == name
    assert done.weights.left_out == {'head.fc.weight': METHOD}
    if library == 'torchvision':
        theirs = torchvision.models.get_model(name, weights=None)
        theirs.fc = nn.Identity()
    else:
        theirs = timm.create_model(name, num_classes=0)
    theirs.double().load_state_dict(safetensors.load_file(out), strict=True)
    images = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        for a, b in zip(ours(images), maps(theirs, library, images)):
            assert a.shape == b.shape and b.std() > 1e-3
            assert (a - b).abs().max() < 1e-9
    convert(out, 'mmdet', tmp_path / 'back.pth')
    back = torch.load(tmp_path / 'back.pth', weights_only=True)['state_dict']
    assert same(back, prefixed(ours.state_dict(), 'backbone.'))


class Conv(nn.Conv2d):
    """A convolution with its norm inside, as detectron2's."""

    def __init__(self, *args: int, **kwargs: int) -> None:
        super().__init__(*args, bias=False, **kwargs)
        self.norm = nn.BatchNorm2d(self.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(super().forward(x))


class Block(nn.Module):
    """A block of detectron2's ResNet, STRIDE_IN_1X1 False."""

    def __init__(self, inside: int, width: int, outside: int, stride: int) -> None:
        super().__init__()
        if inside != outside:
            self.shortcut = Conv(inside, outside, 1, stride=stride)
        if width == outside:
            self.conv1 = Conv(inside, width, 3, stride=stride, padding=1)
            self.conv2 = Conv(width, width, 3, padding=1)
        else:
            self.conv1 = Conv(inside, width, 1)
            self.conv2 = Conv(width, width, 3, stride=stride, padding=1)
            self.conv3 = Conv(width, outside, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.conv1(x).relu())
        if hasattr(self, 'conv3'):
            y = self.conv3(y.relu())
        return (y + (self.shortcut(x) if hasattr(self, 'shortcut') else x)).relu()


class Detectron2ResNet(nn.Module):
    """A ResNet under detectron2's names."""

    def __init__(self, blocks: tuple[int, ...], expansion: int) -> None:
        super().__init__()
        self.stem = nn.Module()
        self.stem.conv1 = Conv(3, 64, 7, stride=2, padding=3)
        inside = 64
        for i, count in enumerate(blocks):
            width, stage = 64 * 2**i, []
            for j in range(count):
                stage.append(Block(inside, width, width * expansion, 2 if i and not j else 1))
                inside = width * expansion
            self.add_module(f'res{i + 2}', nn.Sequential(*stage))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = nn.functional.max_pool2d(self.stem.conv1(x).relu(), 3, stride=2, padding=1)
        actual = []
        for stage in (self.res2, self.res3, self.res4, self.res5):
            x = stage(x)
            actual.append(x)
        return actual


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'blocks', 'expansion', 'suffix'),
    [('resnet18', (2, 2, 2, 2), 1, '.pkl'), ('resnet50', (3, 4, 6, 3), 4, '.pth')],
)
def test_detectron2(name: str, blocks: tuple, expansion: int, suffix: str, tmp_path: Path) -> None:
    ours = backbone(name)
    out = tmp_path / f'out{suffix}'
    done = convert(saved(ours, tmp_path), 'detectron2', out)
    assert 'STRIDE_IN_1X1 False' in done.weights.notes[0]
    assert f'RES2_OUT_CHANNELS {64 * expansion},' in done.weights.notes[0]
    if suffix == '.pth':
        content = torch.load(out, weights_only=True)
        state = content['model']
    else:
        content = pickle.loads(out.read_bytes())
        state = {k: torch.from_numpy(v) for k, v in content['model'].items()}
    assert content['matching_heuristics'] is True and content['__author__'] == 'mmpixcon'
    theirs = Detectron2ResNet(blocks, expansion).double()
    theirs.load_state_dict(state, strict=True)
    theirs.train(False)
    images = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        for a, b in zip(ours(images), theirs(images)):
            assert b.std() > 1e-3 and (a - b).abs().max() < 1e-9
    convert(out, 'mmdet-backbone', tmp_path / 'back.pth', trust=suffix == '.pkl')
    back = torch.load(tmp_path / 'back.pth', weights_only=True)['state_dict']
    assert same(back, ours.state_dict())


@pytest.mark.parametrize('head', ['fpn', 'c4'])
def test_detectron2_of_a_detector(head: str, tmp_path: Path) -> None:
    state = Detectron2ResNet((2, 2, 2, 2), 1).state_dict()
    if head == 'fpn':
        state = prefixed(state, 'backbone.bottom_up.')
        other = 'backbone.fpn_output2.bias'
    else:
        # A C4 detector: the last stage is in the head.
        state = {
            ('roi_heads.' if k.startswith('res5.') else 'backbone.') + k: v
            for k, v in state.items()
        }
        other = 'roi_heads.box_predictor.bbox_pred.bias'
    state[other] = torch.zeros(1)
    torch.save(dict(model=state), tmp_path / 'd2.pth')
    done = convert(tmp_path / 'd2.pth', 'torchvision', tmp_path / 'tv.pth')
    assert done.weights.left_out == {other: 'not of the backbone'}
    assert "model.backbone.style='caffe'" in done.weights.notes[0]
    model = torchvision.models.resnet18(weights=None)
    model.fc = nn.Identity()
    model.load_state_dict(torch.load(tmp_path / 'tv.pth', weights_only=True), strict=True)


@pytest.mark.slow
def test_swin(tmp_path: Path) -> None:
    ours = backbone('swin_t')
    out = tmp_path / 'out.safetensors'
    done = convert(saved(ours, tmp_path), 'timm', out)
    assert done.backbone == 'swin_t' and 'img_size=448' in done.weights.notes[0]
    # At 224 the last stage is one window: there timm does not shift it, and mmdet does.
    theirs = timm.create_model('swin_tiny_patch4_window7_224', num_classes=0, img_size=448)
    theirs.double().load_state_dict(safetensors.load_file(out), strict=True)
    theirs.train(False)
    images = torch.randn(1, 3, 448, 448, dtype=torch.float64)
    with torch.no_grad():
        actual = theirs.forward_features(images).permute(0, 3, 1, 2)
        expected = ours(images)[0]
    assert actual.shape == expected.shape == (1, 768, 14, 14) and expected.std() > 0.1
    assert (actual - expected).abs().max() < 1e-9
    convert(out, 'mmdet-backbone', tmp_path / 'back.pth')
    back = torch.load(tmp_path / 'back.pth', weights_only=True)['state_dict']
    assert same(back, dict(ours.state_dict()))


def test_swin_by_mmdets_own_converter(tmp_path: Path) -> None:
    """Swin's release, which mmdet converts, merges where stages end, timm where they begin."""
    theirs = timm.create_model('swin_tiny_patch4_window7_224').state_dict()
    path = tmp_path / 'timm.pth'
    torch.save(theirs, path)
    done = convert(path, 'mmdet', tmp_path / 'm.pth')
    assert done.source == 'timm'
    assert set(done.weights.left_out) == {'head.fc.weight', 'head.fc.bias'}
    ours = torch.load(tmp_path / 'm.pth', weights_only=True)['state_dict']
    release = {
        re.sub(r'layers\.(\d)\.down', lambda m: f'layers.{int(m[1]) - 1}.down', k): v
        for k, v in theirs.items()
    }
    expected = swin_converter(release)
    expected = {
        k.replace('.norm.', '.norm3.') if k.count('.') == 2 else k: v for k, v in expected.items()
    }
    computed = {k: v for k, v in ours.items() if k.endswith('relative_position_index')}
    assert len(computed) == 12
    assert same({k: v for k, v in ours.items() if k not in computed}, expected)
    torch.save(release, path)
    with pytest.raises(ValueError, match=r"Swin's release.*convert_weights=True"):
        convert(path, 'mmdet', tmp_path / 'n.pth')


def test_swin_has_no_place_elsewhere(tmp_path: Path) -> None:
    path = saved(backbone('swin_t'), tmp_path)
    for target, message in (('torchvision', 'give --to timm'), ('detectron2', 'has no swin_t')):
        with pytest.raises(ValueError, match=message):
            convert(path, target, tmp_path / 'out.pth')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.pop('layer3.1.conv2.weight'), r'looks like resnet18, but.*layer3'),
        (lambda s: s.update({'layer1.0.conv2_offset.weight': torch.zeros(1)}), 'conv2_offset'),
        (lambda s: s.update({'conv1.weight': torch.zeros(32, 3, 7, 7)}), 'of width 32, but'),
        (lambda s: s.pop('layer4.1.conv1.weight') is s.clear(), 'no backbone that is converted'),
    ],
)
def test_what_is_not_exactly_a_resnet(change, message: str) -> None:
    state = backbone('resnet18').state_dict()
    change(state)
    with pytest.raises(ValueError, match=f'(?s){message}'):
        identify(state)


def test_narrow_resnets_stay_in_mmdet(tmp_path: Path) -> None:
    model = MODELS.build(dict(type='mmdet.ResNet', depth=18, base_channels=32))
    path = saved(model, tmp_path)
    with pytest.raises(ValueError, match='resnet18 of width 32: torchvision and timm'):
        convert(path, 'torchvision', tmp_path / 'out.pth')
    assert convert(path, 'mmdet-backbone', tmp_path / 'o.pth').backbone == 'resnet18 of width 32'
    note = convert(path, 'detectron2', tmp_path / 'd.pth').weights.notes[0]
    assert 'DEPTH 18, STEM_OUT_CHANNELS 32, RES2_OUT_CHANNELS 32' in note


@pytest.mark.slow
@pytest.mark.parametrize('name', ['resnet18', 'resnet50'])
def test_strides_of_caffe(name: str, tmp_path: Path) -> None:
    path = tmp_path / 'caffe.pth'
    state = prefixed(backbone(name).state_dict(), 'backbone.')
    torch.save(dict(state_dict=state, meta=dict(cfg="backbone=dict(style='caffe')")), path)
    if name == 'resnet18':
        convert(path, 'torchvision', tmp_path / 'out.pth')
    else:
        with pytest.raises(ValueError, match="style='caffe'"):
            convert(path, 'torchvision', tmp_path / 'out.pth')
    note = convert(path, 'detectron2', tmp_path / 'd2.pth').weights.notes[0]
    assert 'STRIDE_IN_1X1 True' in note


@pytest.mark.parametrize('family', FAMILIES)
def test_a_backbone_of_timm_goes_back(family: str, tmp_path: Path) -> None:
    name, settings, indices = FAMILIES[family]
    # timm builds models in single precision.
    ours = randomized(timm_backbone(family)).float()
    path, out = tmp_path / 'epoch_1.pth', tmp_path / 'out.safetensors'
    state = prefixed(ours.state_dict(), 'backbone.') | {'bbox_head.fc.bias': torch.zeros(1)}
    cfg = f"backbone=dict(model_name='{name}', type='mmpixcon.TIMMBackbone')"
    torch.save(dict(state_dict=state, meta=dict(cfg=cfg)), path)
    done = convert(path, 'timm', out)
    assert (done.source, done.backbone) == ('mmdet', 'timm model')
    assert done.weights.left_out == {'bbox_head.fc.bias': 'not of the backbone'}
    assert f"timm.create_model('{name}', num_classes=0, checkpoint_path=...)" in done.table()
    theirs = timm.create_model(name, num_classes=0, checkpoint_path=str(out), **settings)
    theirs.train(False)
    # The size that the model has by itself, where the options for other sizes make no difference.
    images = torch.randn(1, 3, *theirs.pretrained_cfg['input_size'][1:])
    with torch.no_grad():
        maps = theirs.forward_intermediates(
            images, indices=list(indices), intermediates_only=True, output_fmt='NCHW'
        )
        assert all(torch.equal(a, b) for a, b in zip(ours(images), maps, strict=True))
        last = theirs.forward_features(images)
        assert torch.equal(last, ours.timm_model.forward_features(images)) and last.std() > 1e-3

    back = timm_backbone(family, checkpoint_path=str(out))
    back.init_weights()
    assert same(back.state_dict(), dict(ours.state_dict()))
    bare = convert(path, 'mmdet-backbone', tmp_path / 'bare.pth').out
    again = convert(bare, 'timm', tmp_path / 'again.pth')
    assert "create_model('NAME'" in again.table()
    assert same(torch.load(again.out, weights_only=True), dict(theirs.state_dict()))


def test_a_backbone_of_timm_elsewhere(tmp_path: Path) -> None:
    ours = timm_backbone('resnet')
    path = tmp_path / 'mean.pth'
    momentum = {k: torch.full_like(v, 2) for k, v in ours.state_dict().items()}
    state = prefixed(ours.state_dict(), 'backbone.')
    state |= prefixed(momentum, 'momentum_encoder.backbone.')
    torch.save(dict(state_dict=state), path)
    done = convert(path, 'timm', tmp_path / 'out.pth', momentum=True)
    assert all((v == 2).all() for v in torch.load(done.out, weights_only=True).values())
    for target in ('torchvision', 'detectron2'):
        with pytest.raises(ValueError, match=r'timm model.*give --to timm'):
            convert(path, target, tmp_path / 'none.pth')
