"""Detectors of releases compute the same in mmdet, and back they are the same tensors."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from mmpixcon.conversion import convert
from mmpixcon.conversion.detr import COCO_IDS
from mmpixcon.registry import MODELS
from tests.helpers.conversion import detector_config, randomized, same
from tests.helpers.official_detectors import OFFICIAL, DeformableDETR

pytestmark = pytest.mark.slow

VARIANTS = tuple(OFFICIAL)
CLASSES = dict(zip(VARIANTS, (5, 4, 4)))


def official(variant: str, classes: int | None = None) -> nn.Module:
    """A detector as its release has it, with the sizes of :func:`detector_config`."""
    cfg = detector_config(variant)
    return OFFICIAL[variant](
        classes or CLASSES[variant],
        cfg.num_queries,
        cfg.encoder.num_layers,
        cfg.decoder.num_layers,
    )


def release(model: nn.Module) -> dict[str, Tensor]:
    """What the release keeps of it: its batch norms are frozen and count no batches."""
    state = model.state_dict()
    return {name: v for name, v in state.items() if not name.endswith('num_batches_tracked')}


def save(path: Path, state: dict[str, Tensor], section: str = 'model') -> Path:
    torch.save({section: state}, path)
    return path


def load(path: Path, section: str) -> dict[str, Tensor]:
    return torch.load(path, weights_only=True)[section]


def mmdet_outputs(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and boxes of all decoder layers."""
    shape = tuple(images.shape[2:])
    meta = dict(img_shape=shape, batch_input_shape=shape)
    samples = [DetDataSample(metainfo=meta) for _ in images]
    head_inputs = model.forward_transformer(model.extract_feat(images), samples)
    names = ('hidden_states', 'references')
    return model.bbox_head(*(head_inputs[name] for name in names if name in head_inputs))


@pytest.mark.parametrize('variant', VARIANTS)
def test_a_release_computes_the_same_in_mmdet(variant: str, tmp_path: Path) -> None:
    # mmdet's Conditional DETR encodes places in single precision only.
    single = variant == 'conditional-detr'
    dtype, tolerance = (torch.float32, 1e-4) if single else (torch.float64, 1e-9)
    theirs = randomized(official(variant)).to(dtype)
    path = save(tmp_path / 'official.pth', release(theirs))
    done = convert(path, 'mmdet', tmp_path / 'mmdet.pth')
    assert done.source == variant and not done.weights.left_out
    ours = MODELS.build(detector_config(variant)).to(dtype)
    ours.load_state_dict(load(tmp_path / 'mmdet.pth', 'state_dict'), strict=True)
    ours.train(False)

    def positions(maps: Tensor) -> Tensor:
        return ours.positional_encoding(maps.new_zeros(len(maps), *maps.shape[2:]))

    images = torch.randn(2, 3, 96, 128, dtype=dtype)
    with torch.no_grad():
        expected = theirs(images, positions)
        actual = mmdet_outputs(ours, images)
    for a, b in zip(actual, expected):
        assert a.shape == b.shape and b.std() > 0.01
        assert (a - b).abs().max() < tolerance

    back = convert(tmp_path / 'mmdet.pth', variant, tmp_path / 'back.pth')
    assert same(load(Path(back.out), 'model'), release(theirs))


REFINED = dict(with_box_refine=True)


@pytest.mark.parametrize(
    ('variant', 'options', 'aliases'),
    [
        ('detr', {}, ()),
        ('conditional-detr', {}, ()),
        ('deformable-detr', {}, ()),
        ('deformable-detr', REFINED, ('bbox',)),
        ('deformable-detr', REFINED | dict(as_two_stage=True), ('bbox', 'class')),
    ],
)
def test_mmdet_to_a_release_and_back(
    variant: str, options: dict, aliases: tuple, tmp_path: Path
) -> None:
    cfg = detector_config(variant, **options)
    # As stock configs: no biases before group norms.
    cfg.neck.bias = 'auto'
    state = randomized(MODELS.build(cfg)).state_dict()
    path = save(tmp_path / 'mmdet.pth', state, 'state_dict')
    done = convert(path, variant, tmp_path / 'official.pth')
    names = load(tmp_path / 'official.pth', 'model')
    actual = {name.split('.')[2] for name in names if name.startswith('transformer.decoder.')}
    assert {f'{a}_embed' for a in aliases} == actual & {'bbox_embed', 'class_embed'}
    for name in names:
        if name.startswith('transformer.decoder.bbox_embed.'):
            assert torch.equal(names[name], names[name.replace('transformer.decoder.', '')])
    assert not done.weights.left_out
    convert(tmp_path / 'official.pth', 'mmdet', tmp_path / 'back.pth')
    assert same(load(tmp_path / 'back.pth', 'state_dict'), dict(state))


def test_names_of_deformable_detr(tmp_path: Path) -> None:
    names = MODELS.build(detector_config('deformable-detr')).state_dict()
    state = {name: torch.full_like(value, i) for i, (name, value) in enumerate(names.items())}
    convert(save(tmp_path / 'm.pth', state, 'state_dict'), 'deformable-detr', tmp_path / 'o.pth')
    there = load(tmp_path / 'o.pth', 'model')
    for here, official_name in {
        'query_embedding.weight': 'query_embed.weight',
        'reference_points_fc.bias': 'transformer.reference_points.bias',
        'level_embed': 'transformer.level_embed',
        'bbox_head.cls_branches.1.bias': 'class_embed.1.bias',
        'bbox_head.reg_branches.1.0.weight': 'bbox_embed.1.layers.0.weight',
        'bbox_head.reg_branches.1.4.bias': 'bbox_embed.1.layers.2.bias',
        'decoder.layers.0.norms.0.weight': 'transformer.decoder.layers.0.norm2.weight',
        'decoder.layers.0.norms.1.weight': 'transformer.decoder.layers.0.norm1.weight',
        'decoder.layers.0.norms.2.weight': 'transformer.decoder.layers.0.norm3.weight',
        'encoder.layers.0.norms.0.weight': 'transformer.encoder.layers.0.norm1.weight',
        'neck.convs.1.gn.bias': 'input_proj.1.1.bias',
        'neck.extra_convs.0.conv.weight': 'input_proj.2.0.weight',
        'backbone.layer4.1.bn2.weight': 'backbone.0.body.layer4.1.bn2.weight',
    }.items():
        assert torch.equal(there[official_name], state[here]), here


def test_biases_of_the_neck(tmp_path: Path) -> None:
    state = release(official('deformable-detr'))
    path = save(tmp_path / 'o.pth', state)
    notes = convert(path, 'mmdet', tmp_path / 'with.pth').weights.notes
    assert notes == [
        'input_proj has biases before its norms, and stock configs have none: set '
        'model.neck.bias=True'
    ]
    for i in range(3):
        state[f'input_proj.{i}.0.bias'].zero_()
    done = convert(save(path, state), 'mmdet', tmp_path / 'without.pth')
    assert not done.weights.notes and len(done.weights.left_out) == 3
    assert 'neck.convs.0.conv.bias' not in load(tmp_path / 'without.pth', 'state_dict')


PRETEXT = {
    'updetr': ('detr', {'patch2query.weight': 512, 'feature_align.layers.0.weight': 4}),
    'detreg': ('deformable-detr', {'feature_embed.layers.0.weight': 4}),
}


@pytest.mark.parametrize('source', PRETEXT)
def test_pretext_tasks_leave_their_own_behind(source: str, tmp_path: Path) -> None:
    variant, extra = PRETEXT[source]
    state = release(official(variant, classes=3))
    plain = save(tmp_path / 'plain.pth', state)
    convert(plain, 'mmdet', tmp_path / 'plain_mmdet.pth')
    expected = load(tmp_path / 'plain_mmdet.pth', 'state_dict')
    expected = {k: v for k, v in expected.items() if 'cls' not in k}
    state |= {name: torch.zeros(size) for name, size in extra.items()}
    done = convert(save(tmp_path / 'p.pth', state), 'mmdet', tmp_path / 'm.pth')
    assert done.source == source
    assert same(load(tmp_path / 'm.pth', 'state_dict'), expected)
    classes = {name for name in state if name.startswith('class_embed.')}
    assert set(done.weights.left_out) == {*extra, *classes}
    assert {done.weights.left_out[n] for n in classes} == {'classes of the pretext task'}


@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('head', ['pred_head', 'head'])
def test_siamese_detr(variant: str, head: str, tmp_path: Path) -> None:
    state = release(official(variant, classes=3))
    convert(save(tmp_path / 'o.pth', state), 'mmdet', tmp_path / 'om.pth')
    expected = load(tmp_path / 'om.pth', 'state_dict')
    expected = {k: v for k, v in expected.items() if 'cls' not in k}
    released = siamese_release(state, head)
    path = save(tmp_path / 's.pth', released, 'state_dict')
    done = convert(path, 'mmdet', tmp_path / 'sm.pth')
    assert done.source == 'siamese-detr'
    assert same(load(tmp_path / 'sm.pth', 'state_dict'), expected)
    tops = {name.split('.')[0] for name in done.weights.left_out}
    assert tops == {'enc_head', head, 'patch2query'}
    bare = convert(path, 'mmdet-backbone', tmp_path / 'b.pth')
    assert bare.backbone == 'resnet18 of width 16'


def siamese_release(state: dict[str, Tensor], head: str) -> dict[str, Tensor]:
    """Name a checkpoint as Siamese DETR's release does."""
    released = {}
    for name, value in state.items():
        name = name.replace('backbone.0.body.', 'backbone.')
        if name.startswith(('class_embed.', 'bbox_embed.')):
            # One layer for all decoder layers.
            kind, _, rest = name.partition('.')
            first, _, last = rest.partition('.')
            if first.isdigit():
                rest = last
            released[f'{head}.{kind}.{rest}'] = value
        elif name == 'query_embed.weight' and value.shape[1] == 512:
            released[name], released['transformer.tgt_embed.weight'] = value.split(256, 1)
        else:
            released[name] = value
    for name in ('patch2query.weight', 'enc_head.0.projector.fc0.weight'):
        released[name] = torch.zeros(1)
    released[f'{head}.criterion.empty_weight'] = torch.ones(3)
    return released


def test_a_single_scale_siamese_deformable_detr_has_no_norm(tmp_path: Path) -> None:
    state = siamese_release(release(official('deformable-detr', classes=3)), 'pred_head')
    projection = {f'input_proj.{k}': state[f'input_proj.0.0.{k}'] for k in ('weight', 'bias')}
    state = {k: v for k, v in state.items() if not k.startswith('input_proj.')} | projection
    done = convert(save(tmp_path / 's.pth', state), 'mmdet', tmp_path / 'm.pth')
    assert done.weights.notes == ['no norm after input_proj: set model.neck.norm_cfg=None']
    actual = {name for name in done.weights.tensors if name.startswith('neck.')}
    assert actual == {'neck.convs.0.conv.weight', 'neck.convs.0.conv.bias'}
    halves = done.weights.origins['query_embedding.weight']
    assert halves == 'query_embed.weight + transformer.tgt_embed.weight'


def test_norms_before_attention_are_refused(tmp_path: Path) -> None:
    state = release(official('detr'))
    state |= {'transformer.encoder.norm.weight': torch.ones(1), 'patch2query.bias': torch.ones(1)}
    path = save(tmp_path / 'up.pth', state)
    with pytest.raises(ValueError, match=r'up\.pth, updetr, to mmdet: .*--pre_norm'):
        convert(path, 'mmdet', tmp_path / 'm.pth')
    assert not (tmp_path / 'm.pth').exists()
    done = convert(path, 'mmdet-backbone', tmp_path / 'm.pth')
    assert set(done.weights.left_out.values()) == {'not of the backbone'}


def test_other_detectors_are_refused(tmp_path: Path) -> None:
    state = release(official('conditional-detr'))
    state['refpoint_embed.weight'] = torch.ones(1)
    with pytest.raises(ValueError, match=r'conditional-detr does not have: refpoint_embed\.weight'):
        convert(save(tmp_path / 'dab.pth', state), 'mmdet', tmp_path / 'm.pth')
    ours = MODELS.build(detector_config('detr')).state_dict()
    path = save(tmp_path / 'ours.pth', ours, 'state_dict')
    with pytest.raises(ValueError, match='it is a detr, not a deformable-detr'):
        convert(path, 'deformable-detr', tmp_path / 'm.pth')


@pytest.mark.parametrize('variant', VARIANTS)
def test_classes_of_coco(variant: str, tmp_path: Path) -> None:
    softmax = variant == 'detr'
    model = official(variant, classes=91 + softmax)
    layer = model.class_embed if variant != 'deformable-detr' else model.class_embed[0]
    with torch.no_grad():
        layer.bias.copy_(torch.arange(91 + softmax))
    path = save(tmp_path / 'o.pth', release(model))
    convert(path, 'mmdet', tmp_path / 'm.pth', coco_classes=True)
    name = 'cls_branches.1' if variant == 'deformable-detr' else 'fc_cls'
    bias = load(tmp_path / 'm.pth', 'state_dict')[f'bbox_head.{name}.bias']
    assert bias.tolist() == [*COCO_IDS, *([91] if softmax else [])]
    # person, bicycle ... hair drier, toothbrush
    assert len(COCO_IDS) == 80 and COCO_IDS[:2] == (1, 2) and COCO_IDS[-2:] == (89, 90)
    path = save(path, release(official(variant)))
    with pytest.raises(ValueError, match=r'class_embed\..* has . rows; COCO has 91 ids'):
        convert(path, 'mmdet', tmp_path / 'n.pth', coco_classes=True)


def test_the_reference_tells_the_norms_apart() -> None:
    """If the decoder's first two norms were taken for each other, outputs would differ."""
    model = randomized(DeformableDETR(4, 3, 1, 1))
    other = copy.deepcopy(model)
    layer = other.transformer.decoder.layers[0]
    layer.norm1, layer.norm2 = layer.norm2, layer.norm1
    images = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        a, b = (m(images, torch.zeros_like)[0] for m in (model, other))
    assert (a - b).abs().max() > 0.01
