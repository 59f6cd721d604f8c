"""Backbones of timm: maps, what learns, where weights come from, and the models over them."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.model import Sequential
from mmengine.registry import init_default_scope
from torch import nn

from mmpixcon.models.backbones import TIMMBackbone
from mmpixcon.models.contrast import MomentumEncoder
from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS
from tests.helpers.pretext_models import samples
from tests.helpers.timm_models import FAMILIES, timm_backbone, timm_config

timm = pytest.importorskip('timm', reason="pip install 'mmpixcon[timm]'")
safetensors = pytest.importorskip('safetensors.torch', reason='requirements/tests.txt')

DETECTORS = ('faster-rcnn_r18_fpn', 'deformable-detr_r18')
PRETEXTS = (
    *('moco/mocov2', 'detco/detco', 'plrc/plrc'),
    *('barlow_twins/barlowtwins', 'vicreg/vicreg'),
)
# Divided by strides of 4 and 32: by neither.
SIZE = (72, 110)


def check_gradients(backbone: TIMMBackbone, losses: dict) -> None:
    """Every weight that learns gets a gradient, and no other does."""
    total = [v for k, v in losses.items() if 'loss' in k]
    sum(sum(v) if isinstance(v, list) else v for v in total).backward()
    for name, weight in backbone.named_parameters():
        assert (weight.grad is not None) == weight.requires_grad, name
    gradients = [weight.grad for weight in backbone.parameters() if weight.requires_grad]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert sum(gradient.abs().sum() for gradient in gradients) > 0


@pytest.mark.parametrize('family', FAMILIES)
def test_maps_of_any_size(family):
    backbone = timm_backbone(family)
    strides = (16,) * 4 if family == 'vit' else (4, 8, 16, 32)
    assert backbone.strides == strides
    # ConvNeXt leaves out what does not fill a cell.
    sizes = [
        tuple(side // s if family == 'convnext' else -(-side // s) for side in SIZE)
        for s in strides
    ]
    maps = backbone(torch.randn(2, 3, *SIZE))
    assert [level.shape for level in maps] == [
        (2, channels, *size) for channels, size in zip(backbone.out_channels, sizes)
    ]
    check_gradients(backbone, dict(loss=sum(level.square().mean() for level in maps)))


@pytest.mark.slow
@pytest.mark.parametrize('family', FAMILIES)
@pytest.mark.parametrize('detector', DETECTORS)
def test_under_a_detector(detector, family):
    cfg = Config.fromfile(CONFIGS / 'stock' / f'{detector}_1xb8-24e_bccd.py').model
    number = 4 if 'faster' in detector else 2
    plain = family == 'vit'
    cfg.backbone = timm_config(family, 1 if plain else number)
    channels = timm_backbone(family, number).out_channels
    if plain:
        scales = (4, 2, 1, 0.5)[-number:]
        cfg.neck = dict(
            type='mmpixcon.SimpleFPN',
            in_channels=channels[-1],
            out_channels=cfg.neck.out_channels,
            scales=scales,
            num_outs=cfg.neck.num_outs,
        )
    else:
        cfg.neck.in_channels = list(channels)
    if 'detr' in detector:
        # The maps have fewer cells than the config has queries.
        cfg.num_queries = cfg.test_cfg.max_per_img = 10
    model = MODELS.build(cfg)
    model.init_weights()
    batch = demo_mm_inputs(2, [(3, *SIZE), (3, 64, 96)], num_classes=3)
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    check_gradients(model.backbone, losses)
    model.eval()
    with torch.no_grad():
        found = model(**model.data_preprocessor(batch, False), mode='predict')
    assert all(sample.pred_instances.bboxes.isfinite().all() for sample in found)


@pytest.mark.slow
@pytest.mark.parametrize('family', FAMILIES)
@pytest.mark.parametrize('name', PRETEXTS)
def test_in_pretraining(name, family):
    init_default_scope('mmselfsup')
    cfg = Config.fromfile(CONFIGS / f'{name}_r18_1xb32-100e_bccd.py').model
    stages = 4 if 'detco' in name else 1
    cfg.backbone = timm_config(family, stages)
    channels = timm_backbone(family, stages).out_channels
    if stages == 4:
        cfg.head.in_channels = list(channels)
    else:
        cfg.neck.in_channels = channels[-1]
    if 'plrc' in name:
        cfg.warmup_epochs = 0
    model = MODELS.build(cfg)
    model.init_weights()
    size = (64, 96)
    views = [torch.randn(4, 3, *size) for _ in range(2)]
    if 'detco' in name:
        views += [torch.randn(4, 9, 3, 32, 32) for _ in range(2)]
    batch = samples(4, size=size[0], width=size[1])
    check_gradients(model.backbone, model.loss(views, batch))
    if hasattr(model, 'momentum_encoder'):
        average = model.momentum_encoder.backbone.state_dict()
        assert average.keys() == model.backbone.state_dict().keys()


@pytest.mark.slow
@pytest.mark.parametrize(('family', 'stride'), [('vit', 14), ('swin', 32)])
def test_in_pretraining_on_regions(family, stride):
    init_default_scope('mmdet')
    cfg = Config.fromfile(CONFIGS / 'detreg' / 'detreg_deformable-detr_r18_1xb8-50e_bccd.py').model
    options = dict(patch_size=14, img_size=224) if family == 'vit' else {}
    cfg.detector.backbone = timm_config(family, 1, **options)
    channels = timm_backbone(family, 1).out_channels[-1]
    levels = cfg.detector.num_feature_levels
    cfg.detector.neck = dict(
        type='mmpixcon.SimpleFPN', in_channels=channels, scales=(2, 1, 0.5), num_outs=levels
    )
    model = MODELS.build(cfg)
    assert model.map_channels == (channels,)
    assert [align.spatial_scale for align in model.roi_aligns] == [1 / stride]
    assert not any(p.requires_grad for p in model.detector.backbone.parameters())


# What the first two maps are made of, and what comes after the last one.
FIRST = {
    'resnet': ('conv1.', 'bn1.', 'layer1.'),
    'convnext': ('stem.', 'stages.0.', 'stages.1.'),
    'vit': ('cls_token', 'pos_embed', 'patch_embed.', 'blocks.0.', 'blocks.1.'),
    'swin': ('patch_embed.', 'layers.0.', 'layers.1.'),
    'efficientnet': ('conv_stem.', 'bn1.', 'blocks.0.', 'blocks.1.'),
}
LAST = ('head.', 'norm.', 'conv_head.', 'bn2.')


@pytest.mark.parametrize('family', FAMILIES)
def test_frozen_stages(family):
    backbone = timm_backbone(family, frozen_stages=2)
    assert backbone.train() is backbone
    model = backbone.timm_model
    learns = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learns == {
        n for n, _ in model.named_parameters() if not n.startswith((*FIRST[family], *LAST))
    }
    layers = {name.rpartition('.')[0] for name, _ in model.named_parameters()} - {''}
    for name in layers:
        module = model.get_submodule(name)
        if not f'{name}.'.startswith(LAST) and next(module.children(), None) is None:
            assert module.training != f'{name}.'.startswith(FIRST[family]), name
    before = copy.deepcopy(model.state_dict())
    maps = backbone(torch.randn(2, 3, 64, 96))
    sum(level.square().mean() for level in maps if level.requires_grad).backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0).step()
    # Statistics as well.
    for name, after in model.state_dict().items():
        assert not name.startswith((*FIRST[family], *LAST)) or after.equal(before[name]), name


def test_a_whole_backbone_is_frozen_and_statistics_stay():
    whole = timm_backbone('vit', 1, frozen_stages=6, norm=True).train()
    assert not any(p.requires_grad for p in whole.parameters())
    assert not any(m.training for m in whole.timm_model.modules() if m is not whole.timm_model)
    backbone = timm_backbone('resnet', norm_eval=True).train()
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    backbone(torch.randn(2, 3, 64, 64))
    assert all(v.equal(before[k]) for k, v in backbone.state_dict().items())
    assert backbone.timm_model.conv1.training


def test_the_last_norm_is_applied_to_maps():
    plain, normed = timm_backbone('vit', 2), timm_backbone('vit', 2, norm=True)
    normed.load_state_dict(plain.state_dict())
    nn.init.normal_(normed.timm_model.norm.weight)
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        for a, b in zip(plain.eval()(images), normed.eval()(images)):
            expected = normed.timm_model.norm(a.movedim(1, -1)).movedim(-1, 1)
            torch.testing.assert_close(b, expected)


def save(path: Path, tensors: dict) -> Path:
    safetensors.save_file({k: v.contiguous() for k, v in tensors.items()}, path)
    return path


@pytest.mark.parametrize('family', FAMILIES)
def test_weights_of_a_file_of_timm(family, tmp_path):
    name, settings, _ = FAMILIES[family]
    # With its classifier, as on the Hugging Face Hub.
    theirs = timm.create_model(name, **settings).state_dict()
    path = save(tmp_path / 'model.safetensors', theirs)
    backbone = timm_backbone(family, checkpoint_path=str(path))
    backbone.init_weights()
    own = backbone.timm_model.state_dict()
    assert all(tensor.equal(theirs[key]) for key, tensor in own.items())
    left = {key.split('.')[0] for key in theirs.keys() - own.keys()}
    assert left <= {'fc', 'head', 'classifier'} and left


def test_a_file_of_another_patch_size_is_resampled(tmp_path):
    theirs = timm.create_model('test_vit', num_classes=0).state_dict()
    path = save(tmp_path / 'model.safetensors', theirs)
    options = dict(patch_size=8, img_size=64)
    backbone = timm_backbone('vit', 1, checkpoint_path=str(path), **options)
    backbone.init_weights()
    own = backbone.timm_model.state_dict()
    assert own['patch_embed.proj.weight'].shape[-2:] == (8, 8) and backbone.strides == (8,)
    other = {'patch_embed.proj.weight', 'pos_embed'}
    assert all(own[key].equal(theirs[key]) for key in theirs.keys() - other)
    sums = [state['patch_embed.proj.weight'].sum((2, 3)) for state in (own, theirs)]
    assert torch.corrcoef(torch.stack([one.flatten() for one in sums]))[0, 1] > 0.5
    assert backbone(torch.randn(1, 3, 40, 64))[0].shape == (1, 64, 5, 8)


def test_a_file_that_does_not_fit(tmp_path):
    theirs = timm.create_model('test_vit', num_classes=0).state_dict()
    del theirs['blocks.3.norm1.weight']
    path = save(tmp_path / 'model.safetensors', theirs)
    with pytest.raises(
        ValueError, match=r'1 of \d+ are missing, such as blocks\.3\.norm1\.weight; it'
    ):
        timm_backbone('vit', checkpoint_path=str(path)).init_weights()
    with pytest.raises(FileNotFoundError, match=r'checkpoint_path=.*none\.pth. does not exist'):
        timm_backbone('vit', checkpoint_path=str(tmp_path / 'none.pth')).init_weights()


def test_weights_of_timms_name_and_of_a_checkpoint(monkeypatch, tmp_path):
    create, asked = timm.create_model, []

    def offline(name, pretrained=False, **settings):
        asked.append(pretrained)
        return create(name, **settings)

    monkeypatch.setattr(timm, 'create_model', offline)
    backbone = timm_backbone('resnet', pretrained=True)
    assert not any(asked)
    before = backbone.state_dict()['timm_model.layer1.0.conv1.weight'].clone()
    backbone.init_weights()
    assert asked[-1] and not any(asked[:-1])
    assert not backbone.timm_model.layer1[0].conv1.weight.equal(before)

    state = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'epoch_1.pth')
    source = dict(type='Pretrained', checkpoint=str(tmp_path / 'epoch_1.pth'), prefix='backbone.')
    other = timm_backbone('resnet', init_cfg=source)
    # Of a model that initializes its parts; timm's own initialization is not run again.
    Sequential(other).init_weights()
    assert all(v.equal(backbone.state_dict()[k]) for k, v in other.state_dict().items())


def test_a_copy_keeps_what_is_frozen():
    backbone = timm_backbone('resnet', frozen_stages=1)
    average = MomentumEncoder(0.9, backbone=backbone)
    average.train()
    assert not average.backbone.timm_model.conv1.training


def test_what_is_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"no model 'resnt18'; close to it are resnet18, "):
        TIMMBackbone('resnt18')
    with pytest.raises(ValueError, match=r"no model '\?'; it has \d{3,} models"):
        TIMMBackbone('?')
    with pytest.raises(ValueError, match=r'out_indices=\(5,\): test_resnet has 5 maps, 0 to 4'):
        TIMMBackbone('test_resnet', out_indices=(5,))
    with pytest.raises(ValueError, match=r'out_indices=\(2, 1\) must be in ascending order'):
        TIMMBackbone('test_resnet', out_indices=(2, 1))
    with pytest.raises(ValueError, match=r'frozen_stages must be 0 to 5 for test_resnet, got 6'):
        TIMMBackbone('test_resnet', frozen_stages=6)
    with pytest.raises(ValueError, match='weights come from one place'):
        TIMMBackbone('test_resnet', pretrained=True, checkpoint_path='model.safetensors')
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(ImportError, match=r"pip install 'mmpixcon\[timm\]'"):
        TIMMBackbone('test_resnet')
