"""What checkpoints are, told by their names, and whose backbone is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from mmpixcon.conversion import SOURCES, convert
from mmpixcon.conversion.layouts import METHOD, find_source, method_prefixes
from mmpixcon.conversion.weights import Renaming, Weights
from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS
from tests.helpers.conversion import backbone, prefixed, same


def numbered(state: dict[str, Tensor], start: int = 0) -> dict[str, Tensor]:
    """Other values in every tensor."""
    return {k: torch.full_like(v, start + i) for i, (k, v) in enumerate(state.items())}


@pytest.fixture(scope='module')
def bare() -> dict[str, Tensor]:
    """A ResNet-18 under mmdet's names."""
    return numbered(backbone('resnet18', width=16).float().state_dict())


def converted(path: Path, state: dict[str, Tensor], **options: object) -> tuple:
    """Convert to a bare backbone of mmdet; what is left out by reason."""
    torch.save(dict(state_dict=state), path)
    done = convert(path, 'mmdet-backbone', path.with_suffix('.pt'), overwrite=True, **options)
    actual = torch.load(done.out, weights_only=True)['state_dict']
    reasons: dict[str, set[str]] = {}
    for name, reason in done.weights.left_out.items():
        reasons.setdefault(reason, set()).add(name)
    return done.source, actual, reasons


def test_official_moco(bare: dict[str, Tensor], tmp_path: Path) -> None:
    heads = {'fc.0.weight': torch.zeros(2), 'fc.2.bias': torch.zeros(2)}
    state = prefixed(bare | heads, 'module.encoder_q.')
    other = numbered(bare, 1000)
    state |= prefixed(other | heads, 'module.encoder_k.') | {'module.queue': torch.zeros(2)}
    source, actual, reasons = converted(tmp_path / 'moco.pth', state)
    assert source == 'moco' and same(actual, bare)
    assert reasons['the projection head'] == {'encoder_q.fc.0.weight', 'encoder_q.fc.2.bias'}
    assert 'queue' in reasons['the momentum encoder and its queue']
    _, actual, reasons = converted(tmp_path / 'moco.pth', state, momentum=True)
    assert same(actual, other)
    assert reasons['the projection head'] == {'encoder_k.fc.0.weight', 'encoder_k.fc.2.bias'}


def test_official_swav(bare: dict[str, Tensor], tmp_path: Path) -> None:
    heads = {'projection_head.0.weight': torch.zeros(1), 'prototypes.weight': torch.zeros(1)}
    source, actual, reasons = converted(tmp_path / 's.pth', prefixed(bare | heads, 'module.'))
    assert source == 'swav' and same(actual, bare)
    assert reasons == {
        'the projection head': {'projection_head.0.weight'},
        'the prototypes': {'prototypes.weight'},
    }


def test_torchvision(bare: dict[str, Tensor], tmp_path: Path) -> None:
    state = bare | {'fc.weight': torch.zeros(1), 'fc.bias': torch.zeros(1)}
    source, actual, reasons = converted(tmp_path / 't.pth', state)
    assert source == 'torchvision' and same(actual, bare)
    assert reasons == {'the classifier, no part of a backbone': {'fc.weight', 'fc.bias'}}
    assert converted(tmp_path / 't.pth', state, source='timm')[0] == 'timm'


def test_momentum_encoders_of_mmselfsup(bare: dict[str, Tensor], tmp_path: Path) -> None:
    other = numbered(bare, 1000)
    for prefix in (
        'encoder_k.module.0.',
        'target_net.module.0.',
        'pixcon.momentum_encoder.backbone.',
    ):
        rest = {prefix.replace('0.', '1.').replace('backbone', 'neck') + 'mlp.bias': torch.zeros(1)}
        state = prefixed(bare, 'backbone.') | prefixed(other, prefix) | rest
        assert same(converted(tmp_path / 'm.pth', state)[1], bare)
        assert same(converted(tmp_path / 'm.pth', state, momentum=True)[1], other)


METHODS = {
    'moco/mocov2_r18_1xb32-100e_scenes.py': 'momentum_encoder.backbone.',
    'detco/detco_r18_1xb32-100e_scenes.py': 'momentum_encoder.backbone.',
    'plrc/plrc_r18_1xb32-100e_scenes.py': 'momentum_encoder.backbone.',
    'vicreg/vicreg_r18_1xb32-100e_scenes.py': None,
    'barlow_twins/barlowtwins_r18_1xb32-100e_scenes.py': None,
    'pixcon/pixcon_faster-rcnn_r18_fpn_1xb8-12e_scenes.py': 'pixcon.momentum_encoder.backbone.',
    'siamese_detr/siamese-detr_conditional-detr_r18_1xb8-50e_scenes.py': None,
    'updetr/updetr_detr_r18_1xb8-50e_scenes.py': None,
    'detreg/detreg_deformable-detr_r18_1xb8-50e_scenes.py': None,
    'transfer/deformable-detr_r18_box-head_1xb8-12e_scenes.py': None,
}


@pytest.mark.slow
@pytest.mark.parametrize('name', METHODS)
def test_every_method(name: str, tmp_path: Path) -> None:
    cfg = Config.fromfile(CONFIGS / name)
    init_default_scope(cfg.default_scope)
    inner = cfg.model.get('detector', cfg.model)
    inner.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    state = numbered(model.state_dict())
    body = {k[9:]: v for k, v in state.items() if k.startswith('backbone.')}
    source, actual, _ = converted(tmp_path / 'c.pth', state)
    assert source == 'mmdet' and same(actual, body)
    getattr(model, 'detector', model).backbone.load_state_dict(actual, strict=True)
    momentum = METHODS[name]
    if momentum:
        expected = {k[len(momentum) :]: v for k, v in state.items() if k.startswith(momentum)}
        assert same(converted(tmp_path / 'c.pth', state, momentum=True)[1], expected)
    else:
        with pytest.raises(ValueError, match='--momentum: it has no momentum encoder'):
            converted(tmp_path / 'c.pth', state, momentum=True)

    # As a whole: of a detector what mmdet knows, of pretraining the backbone.
    done = convert(tmp_path / 'c.pth', 'mmdet', tmp_path / 'whole.pth')
    whole = torch.load(done.out, weights_only=True)['state_dict']
    own = method_prefixes()
    if hasattr(model, 'detector'):
        assert whole.keys() == {k for k in state if not k.startswith(own)}
        assert not set(whole) - set(model.detector.state_dict())
    else:
        assert same(whole, prefixed(body, 'backbone.'))
    assert set(done.weights.left_out.values()) <= {METHOD}


def test_method_prefixes() -> None:
    assert {'pixcon.', 'frozen.', 'siamese_detr.', 'updetr.', 'detreg.'} <= set(method_prefixes())


def test_the_last_stage_of_c4_is_in_the_head(bare: dict[str, Tensor], tmp_path: Path) -> None:
    state = {
        ('roi_head.shared_head.' if k.startswith('layer4.') else 'backbone.') + k: v
        for k, v in bare.items()
    }
    state |= {'rpn_head.rpn_cls.bias': torch.zeros(1)}
    assert same(converted(tmp_path / 'c4.pth', state)[1], bare)


@pytest.mark.parametrize(
    ('names', 'named', 'message'),
    [
        (
            ('visual.conv1.weight', 'logit_scale'),
            None,
            r'c\.pth fits no layout: it begins with logit_scale, visual\. Layouts:\n  moco: ',
        ),
        (
            ('module_list.0.w',),
            'swav',
            r"is not in the layout swav \(SwAV's release.*: it begins with module_list$",
        ),
        (
            ('backbone.conv1.weight',),
            'detr',
            r'not in the layout detr .*begins with backbone; it looks like mmdet$',
        ),
    ],
)
def test_what_is_no_known_layout(names: tuple, named: str | None, message: str) -> None:
    weights = Weights({name: torch.zeros(1) for name in names})
    with pytest.raises(ValueError, match=message) as error:
        find_source(weights, 'c.pth', named)
    if named is None:
        assert all(f'\n  {key}: ' in str(error.value) for key in SOURCES)


def test_renaming_reads_both_ways() -> None:
    table = Renaming([('a.#.b#.*', 'x#y.#.*'), ('plain', 'other')])
    assert table.translate('a.3.b10.w.q') == 'x3y.10.w.q'
    assert table.translate_back('x3y.10.w.q') == 'a.3.b10.w.q'
    assert table.translate('plain') == 'other' and table.translate_back('plain') is None
    assert table.translate('a.3.bw.w') is None


def test_two_tensors_of_one_name_are_refused() -> None:
    weights = Weights({'a.w': torch.zeros(1), 'b.w': torch.zeros(1)})
    with pytest.raises(ValueError, match=r'a\.w and b\.w both become w'):
        weights.rename(lambda name: name[2:])
