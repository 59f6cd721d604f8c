"""PixelContrastDetector on the shipped small configs."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.runner.checkpoint import get_state_dict
from mmengine.runner.checkpoint import load_state_dict as mmengine_load

from mmpixcon.engine.hooks import PixelContrastHook
from mmpixcon.models.geometry import PixelPairs, ViewGrid, transform_points
from mmpixcon.models.losses import PixelCosineLoss, PixelNCELoss
from mmpixcon.models.task_modules import NonFiniteError
from mmpixcon.registry import DATASETS, MODELS
from tests.helpers.configs import shipped_config

SMALL = {
    'deformable': 'pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py',
    'detr': 'pixcon/pixcon_detr_r18_1xb8-12e_scenes.py',
    'faster-rcnn': 'pixcon/pixcon_faster-rcnn_r18_fpn_1xb8-12e_scenes.py',
}


PREDICTOR = 'pixcon/ablations/pixcon-predictor_deformable-detr_r18_1xb8-12e_scenes.py'


@pytest.fixture(params=SMALL)
def case(request, scenes_root, tmp_path):
    """A model, its config and a preprocessed batch of two scenes."""
    return make_case(request.param, scenes_root, tmp_path)


@pytest.fixture
def deformable(scenes_root, tmp_path):
    return make_case('deformable', scenes_root, tmp_path)


def make_case(name, scenes_root, tmp_path, **options):
    cfg = shipped_config(SMALL.get(name, name), scenes_root, tmp_path, **options)
    model = MODELS.build(copy.deepcopy(cfg.model)).train()
    model.init_weights()
    np.random.seed(0)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    batch = pseudo_collate([dataset[i] for i in range(2)])
    return cfg, model, model.data_preprocessor(batch, True)


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


@pytest.mark.parametrize('name', [*SMALL, PREDICTOR])
def test_losses_are_the_detectors_own_and_equations_4_and_5(name, scenes_root, tmp_path):
    _, model, data = make_case(name, scenes_root, tmp_path)
    assert (model.predictor is not None) == (name in ('faster-rcnn', PREDICTOR))
    model.alpha = 0.25
    without_dropout(model)
    torch.manual_seed(0)
    losses = model(**data, mode='loss')
    torch.manual_seed(0)
    inputs, samples = data['inputs'], data['data_samples']
    stock = model.detector.loss(inputs['detection'], samples['detection'])
    contrast = {'loss_pixel_nce', 'loss_pixel_cos'}
    assert set(losses) == set(stock) | contrast
    for name, value in stock.items():
        torch.testing.assert_close(losses[name], value)

    maps = model.detector.extract_feat(inputs['detection'])
    keys = model.momentum_encoder(inputs['momentum'])
    level = model.levels[0]
    pairs = []
    for e, m in zip(samples['detection'], samples['momentum']):
        grids = [
            ViewGrid(
                s.homography_matrix,
                maps_[level].shape[2:],
                inputs[branch].shape[2:],
                s.img_shape,
            )
            for s, maps_, branch in ((e, maps, 'detection'), (m, keys, 'momentum'))
        ]
        pairs.append(PixelPairs(*grids, S=model.S[0]))
    assert sum(int(block.count.sum()) for pair in pairs for block in pair.blocks()) > 0
    nce = 0.25 * PixelNCELoss(0.3)(maps[level], keys[level], pairs)
    torch.testing.assert_close(losses['loss_pixel_nce'], [nce])
    gamma = maps[level]
    if hasattr(model.detector, 'encoder'):
        encoder_inputs, _ = model.detector.pre_transformer(maps, samples['detection'])
        memory = model.detector.forward_encoder(**encoder_inputs)['memory']
        start = sum(m.shape[2:].numel() for m in maps[: level % len(maps)])
        h, w = maps[level].shape[2:]
        gamma = memory[:, start : start + h * w].transpose(1, 2).reshape(2, -1, h, w)
    if model.predictor is not None:
        gamma = model.predictor(gamma)
    cos = PixelCosineLoss()(gamma, keys[level], pairs)
    torch.testing.assert_close(losses['loss_pixel_cos'], [cos], atol=1e-5, rtol=1e-5)


def test_normalized_distances_are_of_shares_of_the_image(deformable):
    """The mask of equation (3), from its definition, in an image twice as wide as high."""
    _, model, data = deformable
    samples = data['data_samples']
    for branch in samples.values():
        for sample in branch:
            sample.set_metainfo(dict(ori_shape=(100, 200)))
    masks = {}
    for normalized in (False, True):
        model.normalized_distance = normalized
        (e, m), *_ = model._grids(data['inputs'], samples)
        pairs = PixelPairs(ViewGrid(e[0], (6, 7), *e[1:]), ViewGrid(m[0], (5, 4), *m[1:]))
        masks[normalized] = torch.zeros(42, 20, dtype=torch.bool)
        for block in pairs.blocks():
            window = masks[normalized].view(42, 5, 4)[:, block.rows, block.cols]
            window[block.anchors] = block.positive
    e, m = (samples[branch][0] for branch in ('detection', 'momentum'))
    places = [
        ViewGrid(s.homography_matrix, shape, data['inputs'][branch].shape[2:], s.img_shape)
        for s, shape, branch in ((e, (6, 7), 'detection'), (m, (5, 4), 'momentum'))
    ]
    shares = [grid.raw_centres / torch.tensor([200.0, 100.0]) for grid in places]
    distance = torch.cdist(*shares)
    threshold = distance[places[0].valid][:, places[1].valid].mean() / 9
    in_both = places[0].valid & places[1].contains(
        transform_points(places[0].raw_centres, places[1].homography)
    )
    expected = (distance <= threshold) & in_both[:, None] & places[1].valid
    assert torch.equal(masks[True], expected) and expected.any()
    # Pixels count alike in both directions, shares do not.
    assert not torch.equal(masks[False], masks[True])


def test_one_forward_of_the_detector_and_no_gradient_of_the_keys(case):
    _, model, data = case
    calls = []
    parts = [model.detector.backbone, model.detector.neck, model.momentum_encoder.backbone]
    if hasattr(model.detector, 'encoder'):
        parts.append(model.detector.encoder)
    for part in parts:
        part.register_forward_hook(lambda module, args, output: calls.append(module))
    total, _ = model.parse_losses(model(**data, mode='loss'))
    assert [calls.count(part) for part in parts] == [1] * len(parts)
    total.backward()
    assert all(p.grad is None for p in model.momentum_encoder.parameters())
    trained = [p for p in model.parameters() if p.requires_grad]
    # A parameter without gradient would stop DistributedDataParallel.
    assert all(p.grad is not None for p in trained)
    # No hook stays behind to hold on to the maps.
    assert not model.detector.neck._forward_hooks or len(model.detector.neck._forward_hooks) == 1


def test_state_dict_is_the_detectors(case):
    _, model, _ = case
    own = get_state_dict(model)
    stock = MODELS.build(copy.deepcopy(model.detector_cfg))
    names = set(stock.state_dict())
    assert names <= set(own)
    assert {name.split('.')[0] for name in set(own) - names} == {'pixcon'}
    # Versions travel along, else mmdet takes the keys for those of old releases.
    assert own._metadata['bbox_head' if 'bbox_head' in own._metadata else 'roi_head'] is not None
    for load in (mmengine_load, lambda m, s: m.load_state_dict(s, strict=False)):
        target = MODELS.build(copy.deepcopy(model.detector_cfg))
        load(target, copy.deepcopy(own))
        for name, value in target.state_dict().items():
            assert torch.equal(value, own[name]), name
    again = MODELS.build(copy.deepcopy(_with_detector(model)))
    assert again.load_state_dict(own).missing_keys == []
    for name, value in again.state_dict().items():
        assert torch.equal(value, own[name]), name


def _with_detector(model):
    return dict(
        type='mmpixcon.PixelContrastDetector', detector=model.detector_cfg, levels=model.levels
    )


def test_a_stock_checkpoint_fills_both_encoders(case):
    _, model, _ = case
    stock = MODELS.build(copy.deepcopy(model.detector_cfg))
    result = model.load_state_dict(stock.state_dict())
    assert result.missing_keys == result.unexpected_keys == []
    for part, online in model.online_encoder.items():
        copied = model.momentum_encoder.get_submodule(part).state_dict()
        theirs = stock.get_submodule(part).state_dict()
        for name, value in online.state_dict().items():
            assert torch.equal(value, theirs[name])
            assert torch.equal(value, copied[name])


def test_modules_see_the_versions_of_a_stock_checkpoint(case):
    """Without them mmdet's DETR renames keys, and batch norm makes up a counter."""
    _, model, _ = case
    stock = MODELS.build(copy.deepcopy(model.detector_cfg))
    expected = {name: module._version for name, module in stock.named_modules()}
    assert len(set(expected.values())) > 1
    seen = {}

    def note(name):
        return lambda entries, prefix, metadata, *args: seen.update({name: metadata.get('version')})

    for name, module in model.detector.named_modules():
        module._register_load_state_dict_pre_hook(note(name))
    for load in (mmengine_load, lambda m, s: m.load_state_dict(s)):
        seen.clear()
        load(model, stock.state_dict())
        assert seen == expected


def test_prediction_is_the_detectors(deformable, scenes_root):
    cfg, model, _ = deformable
    model.eval()
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    batch = pseudo_collate([dataset[i] for i in range(2)])
    with torch.no_grad():
        ours = model.test_step(copy.deepcopy(batch))
        data = model.data_preprocessor(copy.deepcopy(batch), False)
        theirs = model.detector.predict(data['inputs'], data['data_samples'])
    for a, b in zip(ours, theirs):
        assert torch.equal(a.pred_instances.bboxes, b.pred_instances.bboxes)
        assert torch.equal(a.pred_instances.scores, b.pred_instances.scores)


def loss_and_statistics(model, data):
    """Losses of a batch, and what PixelContrastHook logs of them."""
    hook = PixelContrastHook()
    watch = model.pixel_loss.register_forward_hook(hook._measure, with_kwargs=True)
    losses = model(**data, mode='loss')
    watch.remove()
    return losses, hook._statistics


def test_two_levels_add_up(scenes_root, tmp_path):
    _, model, data = make_case(
        'deformable', scenes_root, tmp_path, model__levels=(0, 1), model__S=(9.0, 4.0)
    )
    losses, measured = loss_and_statistics(model, data)
    assert len(losses['loss_pixel_cos']) == 2
    assert {name.split('_')[0] for name in measured} == {'l0', 'l1'}
    for level, loss in zip((0, 1), losses['loss_pixel_cos']):
        stats = {n[3:]: v.item() for n, v in measured.items() if n[1] == str(level)}
        assert stats['positive_similarity'] == pytest.approx(-loss.item(), rel=1e-5)
        assert 0 < stats['anchor_share'] <= 1
        assert stats['positives_per_anchor'] >= 1
        assert 0 < stats['feature_std'] <= 1.01


def test_collapsed_features_show_in_the_statistics(deformable):
    _, model, data = deformable
    norm = model.momentum_encoder.neck.extra_convs[-1].gn
    torch.nn.init.zeros_(norm.weight)
    torch.nn.init.ones_(norm.bias)
    _, measured = loss_and_statistics(model, data)
    assert measured['l2_momentum_std'].item() < 1e-3


def test_no_overlap_keeps_a_zero_in_the_graph(deformable):
    _, model, data = deformable
    for sample in data['data_samples']['momentum']:
        matrix = sample.homography_matrix.copy()
        matrix[0, 2] += 1e4
        sample.set_metainfo(dict(homography_matrix=matrix))
    losses, measured = loss_and_statistics(model, data)
    loss = losses['loss_pixel_cos'][0]
    assert loss.item() == 0
    assert loss.requires_grad
    assert measured['l2_anchor_share'].item() == 0
    assert measured['l2_positives_per_anchor'].item() == 0


def test_images_without_boxes_train(case):
    _, model, data = case
    for sample in data['data_samples']['detection']:
        sample.gt_instances = sample.gt_instances[:0]
    total, logs = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    assert torch.isfinite(total)
    assert logs['loss_pixel_cos'].item() != 0


def test_nan_in_the_matching_names_the_cost_and_the_image(deformable):
    _, model, data = deformable
    torch.nn.init.constant_(model.detector.bbox_head.cls_branches[0].bias, float('nan'))
    with pytest.raises(NonFiniteError, match=r'FocalLossCost are not finite on .*jpg'):
        model(**data, mode='loss')


def test_data_with_one_view_is_refused(deformable):
    _, model, data = deformable
    with pytest.raises(TypeError, match='two views'):
        model.loss(data['inputs']['detection'], data['data_samples']['detection'])
    for sample in data['data_samples']['momentum']:
        sample.pop('homography_matrix')
    with pytest.raises(KeyError, match='no homography_matrix'):
        model(**data, mode='loss')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(alpha=0, beta=0), 'one must be positive'),
        (dict(alpha=-1), 'one must be positive'),
        (dict(levels=(4,)), 'gives 3 levels, 0 to 2'),
        (dict(levels=(0, 1), S=(9,)), 'give one S, or one for each level'),
        (dict(momentum=0.01), 'share of the average that is kept'),
    ],
)
def test_bad_settings_are_named(options, message, scenes_root, tmp_path):
    cfg = shipped_config(SMALL['deformable'], scenes_root, tmp_path)
    cfg.model.update(options)
    with pytest.raises(ValueError, match=message):
        MODELS.build(cfg.model)


def test_a_detector_without_a_neck_is_refused(scenes_root, tmp_path):
    cfg = shipped_config(SMALL['deformable'], scenes_root, tmp_path)
    cfg.model.detector = dict(
        type='CenterNet',
        backbone=dict(type='ResNet', depth=18),
        neck=None,
        bbox_head=dict(type='CenterNetHead', num_classes=2, in_channels=8, feat_channels=8),
    )
    with pytest.raises(ValueError, match='has no neck'):
        MODELS.build(cfg.model)


def test_a_preprocessor_that_resizes_is_refused(scenes_root, tmp_path):
    cfg = shipped_config(SMALL['deformable'], scenes_root, tmp_path)
    cfg.model.detector.data_preprocessor.batch_augments = [
        dict(type='BatchSyncRandomResize', random_size_range=(64, 128))
    ]
    with pytest.raises(ValueError, match='BatchSyncRandomResize resizes images'):
        MODELS.build(cfg.model)
