"""Every shipped config: it loads, it is listed, and the full ones build on real photos."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope

from mmpixcon.apis.config import drop_unread
from mmpixcon.apis.runner import SAFE_HOOKS
from mmpixcon.registry import DATASETS, MODELS
from tests.helpers.configs import (
    CITYSCAPES,
    CONFIGS,
    DETRS,
    FINETUNE,
    METHODS,
    PRETRAIN,
    REGION_PRETEXTS,
    ROOT,
    backbone_name,
    method_of,
)

BY_EPOCH = [p for p in FINETUNE if re.search(r'-\d+e_', p.stem) and p not in DETRS]
BY_ITERATION = [p for p in FINETUNE if p not in (*BY_EPOCH, *DETRS)]
FULL = [p for p in METHODS if 'pixcon' in p.parts and p.stem.endswith('_coco')]
DN = [p for p in METHODS if method_of(p) == 'dn_detr' and p.stem.endswith('_coco')]
# alpha, beta; the divisor of each level, coarsest 9, twice that for twice the cells a side.
WEIGHTS = {'pixcon-nce': (1, 0), 'pixcon-nce-cos': (1, 1), 'pixcon-nce0.2-cos': (0.2, 1)}
DIVISORS = {'pixcon-two-level': (18, 9), 'pixcon-all-level': (72, 36, 18, 9)}


@pytest.mark.parametrize('path', METHODS, ids=lambda path: path.stem)
def test_config_says_what_its_name_says(path):
    cfg = Config.fromfile(path)
    detector = cfg.model.get('detector', cfg.model)
    assert (cfg.model.type == 'mmpixcon.PixelContrastDetector') == path.stem.startswith('pixcon')
    frozen = '_linear-probe' in path.stem or '_box-head_' in path.stem
    assert ('FrozenDetector' in cfg.model.type) == frozen
    assert ('DN' in detector.type) == ('dn-' in path.stem)
    assert ('-dc5' in path.stem) == (detector.backbone.get('dilations', [1])[-1] == 2) or (
        detector.backbone.get('depth') == 18
    )
    assert path.stem.replace('-dc5_', '_').count(f'_{backbone_name(detector.backbone)}_') == 1
    batch = cfg.train_dataloader.batch_size
    assert f'xb{batch}-' in path.stem
    length = path.stem.rsplit('_', 1)[0].split('-')[-1].split('_')[0]
    if 'max_iters' in cfg.train_cfg:
        assert length == f'{cfg.train_cfg.max_iters}i'
    else:
        epochs = {'1x': 12}.get(length, cfg.train_cfg.max_epochs)
        assert f'-{epochs}e_' in path.stem or '-1x_' in path.stem
        assert cfg.train_cfg.max_epochs == epochs
    assert cfg.auto_scale_lr.base_batch_size > 0
    head = detector.get('bbox_head') or detector.roi_head.bbox_head
    classes = cfg.train_dataloader.dataset.get('metainfo', {}).get('classes')
    assert head.num_classes == (len(classes) if classes else 80)


# Stock configs do without mmpixcon; tools/train.py adds the hooks to them.
@pytest.mark.parametrize(
    'path',
    [p for p in (*METHODS, *FINETUNE, *PRETRAIN) if method_of(p) != 'stock'],
    ids=lambda path: path.stem,
)
def test_config_is_safe_without_our_tools(path):
    hooks = [hook.type for hook in Config.fromfile(path).custom_hooks]
    for name in SAFE_HOOKS:
        assert hooks.count(f'mmpixcon.{name}') == 1, name


def test_metafile_lists_every_config():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    listed = set()
    for metafile in index['Import']:
        for model in yaml.safe_load((ROOT / metafile).read_text())['Models']:
            # After a comma stands what else was different.
            assert (ROOT / model['Config']).stem == model['Name'].split(', ')[0]
            assert (ROOT / model['Config']).is_file()
            listed.add(ROOT / model['Config'])
    # Of these, only what has numbers.
    unlisted = ('finetune', 'stock', 'transfer')
    listed = {path for path in listed if method_of(path) not in unlisted}
    regions = {p for folder in REGION_PRETEXTS for p in (CONFIGS / folder).rglob('*.py')}
    others = {p for p in METHODS if method_of(p) not in unlisted}
    assert listed == others | set(PRETRAIN) | regions


def test_the_index_is_one_of_model_index():
    load = pytest.importorskip('modelindex.load_model_index').load
    index = load(str(ROOT / 'model-index.yml'))
    # Paths of READMEs are of the checkout, as OpenMMLab's packages have them and mim reads them;
    # model-index takes them from where the metafile is.
    assert all('README' in error for error in index.check(silent=True))
    assert len(index.collections) >= 11
    assert all((ROOT / collection.readme).is_file() for collection in index.collections)


@pytest.mark.slow
@pytest.mark.parametrize('path', FULL, ids=lambda path: path.stem)
def test_full_config_builds_and_makes_views_of_a_photo(path, bccd_root):
    cfg = Config.fromfile(path)
    cfg.model.detector.backbone.init_cfg = None
    model = MODELS.build(copy.deepcopy(cfg.model))
    variant = path.stem.split('_')[0]
    assert (model.alpha, model.beta) == WEIGHTS.get(variant, (0, 1))
    assert DIVISORS.get(variant, (9,)) == model.S
    levels = [level % 4 for level in model.levels]
    assert levels == sorted(set(levels)) and len(levels) == len(model.S)
    assert model.momentum_encoder.momentum == 0.99
    dataset = cfg.train_dataloader.dataset
    # The photos have boxes only.
    dataset.pipeline[1].with_mask = False
    dataset.update(
        data_root=str(bccd_root),
        ann_file='train.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=('RBC', 'WBC', 'Platelets')),
        indices=2,
    )
    np.random.seed(0)
    sample = DATASETS.build(dataset)[0]
    assert sample['inputs']['momentum'].shape == (3, 640, 640)
    assert min(sample['inputs']['detection'].shape[1:]) >= 384
    matrix = sample['data_samples']['detection'].homography_matrix
    assert abs(np.linalg.det(matrix)) > 0.3


@pytest.mark.slow
@pytest.mark.parametrize('path', DN, ids=lambda path: path.stem)
def test_full_dn_config_builds_with_the_papers_settings(path):
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None
    generator = MODELS.build(copy.deepcopy(cfg.model)).dn_query_generator
    assert (generator.num_groups, generator.label_noise, generator.box_noise) == (5, 0.2, 0.4)
    patterns = 3 if '3pat' in path.stem or 'deformable-encoder' in path.stem else 1
    assert generator.num_matching_queries == 300 * patterns
    # The release's: 2 is the weight of the class in the matching.
    assert cfg.model.bbox_head.loss_cls.loss_weight == 1.0
    for part in (cfg.model.encoder, cfg.model.decoder):
        assert part.layer_cfg.ffn_cfg.feedforward_channels == 2048
    optimizer = cfg.optim_wrapper
    assert (optimizer.optimizer.lr, optimizer.optimizer.weight_decay) == (1e-4, 1e-4)
    assert optimizer.clip_grad.max_norm == 0.1
    assert list(optimizer.paramwise_cfg.custom_keys) == ['backbone']
    assert cfg.param_scheduler[0].milestones == [40 if '-50e_' in path.stem else 11]


@pytest.mark.slow
@pytest.mark.parametrize('path', BY_ITERATION, ids=lambda path: path.stem)
def test_finetuning_takes_a_backbone_and_lasts_as_its_name_says(path):
    cfg = Config.fromfile(path)
    batch, length = path.stem.split('xb')[1].split('_')[0].split('-')
    small = length.endswith('i')
    iterations = int(length[:-1]) * (1 if small else 1000)
    assert cfg.train_cfg.max_iters == iterations
    assert cfg.train_cfg.type == 'mmpixcon.ResumableIterBasedTrainLoop'
    warm_up, steps = cfg.param_scheduler
    assert not steps.by_epoch and warm_up.end < steps.milestones[0]
    assert steps.milestones[-1] < steps.end == iterations
    assert cfg.train_dataloader.batch_size == int(batch)
    if not small:
        assert cfg.optim_wrapper.optimizer.lr == (0.01 if 'retinanet' in path.stem else 0.02)
        assert cfg.auto_scale_lr.base_batch_size == 16
    pretrained = cfg.model.backbone.init_cfg
    assert (pretrained.type, pretrained.prefix) == ('Pretrained', 'backbone.')
    # All of the backbone learns, batch norm included; of one from ImageNet, not the stem.
    lite = '_lite0_' in path.stem
    frozen = cfg.model.backbone.frozen_stages, cfg.model.backbone.norm_eval
    assert frozen == ((1, True) if lite else (-1, False))
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    still = {n.split('.')[1] for n, p in model.backbone.named_parameters() if not p.requires_grad}
    assert still == ({'0'} if lite else set())


@pytest.mark.slow
@pytest.mark.parametrize('path', BY_EPOCH, ids=lambda path: path.stem)
def test_finetuning_of_barlow_twins_and_vicreg(path):
    cfg = Config.fromfile(path)
    epochs = int(re.search(r'-(\d+)e_', path.stem)[1])
    schedule = cfg.param_scheduler[-1]
    assert cfg.train_cfg.max_epochs == schedule.end == epochs
    if 'faster-rcnn' in path.stem:
        # 1e-4, then 5e-5: in one run, which resumes across the change.
        assert (cfg.optim_wrapper.optimizer.lr, schedule.milestones, schedule.gamma) == (
            1e-4,
            [20],
            0.5,
        )
    pretraining = Config.fromfile(
        CONFIGS / 'barlow_twins' / 'barlowtwins_r50_8xb256-150e_imagenet.py'
    )
    assert cfg.model.data_preprocessor.mean == pretraining.model.data_preprocessor.mean
    assert cfg.model.data_preprocessor.std == pretraining.model.data_preprocessor.std
    assert cfg.model.backbone.init_cfg.prefix == 'backbone.'
    cfg.model.backbone.init_cfg = None
    MODELS.build(cfg.model)


def check_plrc(cfg: Config, stem: str) -> None:
    """The paper's setting but for what is named."""
    model, variant = cfg.model, stem.split('_')[0]
    named = dict(re.findall(r'-(strategy|alpha|beta|p|grid|res)([\d.]+)', variant))
    level = next((level for level in ('region', 'point') if f'-{level}-level' in variant), None)
    sampler = dict(region='PooledRegions', point='NearbyPoints').get(level, 'RegionPoints')
    assert model.sampler.type == f'mmpixcon.{sampler}'
    assert model.sampler.resolution == int(named.get('res', 64))
    assert model.sampler.get('num_regions', 16) == 16
    small = '_1xb32-' in stem
    points = int(named.get('p', 8 if small else 16))
    points = dict(region=None, point=16 * points).get(level, points)
    assert model.sampler.get('num_points') == points
    assert model.alpha == (1 if level else float(named.get('alpha', 0.5)))
    assert model.beta == float(named.get('beta', 0.7))
    affinity = model.affinity_loss
    assert affinity.strategy == int(named.get('strategy', 1))
    assert affinity.get('exclude_self', False) == ('-exclude-self' in variant)
    assert (affinity.teacher_temperature, affinity.student_temperature) == (0.07, 0.1)
    assert (model.point_loss.temperature, model.negatives) == (0.1, 'batch')
    assert model.warmup_epochs == (15 if small else 30)
    assert 'mmdet.SetEpochInfoHook' in [hook.type for hook in cfg.custom_hooks]
    steps = [step.type.split('.')[-1] for step in cfg.train_dataloader.dataset.pipeline]
    source = next(
        (s for k, s in dict(box='Box', mask='Mask').items() if f'-{k}' in variant), 'Grid'
    )
    assert steps[-3:] == [f'{source}Regions', 'ContrastViews', 'PackViews']
    if source == 'Grid':
        assert cfg.train_dataloader.dataset.pipeline[1].n == int(named.get('grid', 4))


def leaves(value: object, key: str = '') -> dict[str, object]:
    """Everything that a config says, by dotted keys."""
    if isinstance(value, dict):
        return {
            k: v for name, one in value.items() for k, v in leaves(one, f'{key}.{name}').items()
        }
    if isinstance(value, list):
        return leaves(dict(enumerate(value)), key)
    return {key[1:]: value}


def what_runs(path: Path) -> dict[str, object]:
    """Everything that a run reads of a config, by dotted keys."""
    cfg = Config.fromfile(path)
    drop_unread(cfg)
    return leaves(cfg.to_dict())


# Table 3 of PLRC: (a) strategies, (b) alpha, (c) beta, (d) points, (e) the grid, (f) resolution.
TABLE_3 = {
    'model.affinity_loss.strategy': [('strategy2', 2), ('strategy3', 3)],
    'model.alpha': [('alpha0', 0.0), ('alpha0.3', 0.3), ('alpha0.7', 0.7)],
    'model.beta': [('beta0.3', 0.3), ('beta0.5', 0.5), ('beta0.9', 0.9)],
    'model.sampler.num_points': [('p8', 8), ('p32', 32)],
    'train_dataloader.dataset.pipeline.1.n': [('grid2', 2), ('grid8', 8)],
    'model.sampler.resolution': [('res14', 14), ('res56', 56), ('res224', 224)],
}


@pytest.mark.parametrize('key', TABLE_3)
def test_ablations_of_plrc_differ_in_one_line(key):
    schedule = 'r50_8xb32-100e_imagenet.py'
    stock = what_runs(CONFIGS / 'plrc' / f'plrc_{schedule}')
    for name, value in TABLE_3[key]:
        values = what_runs(CONFIGS / 'plrc' / 'ablations' / f'plrc-{name}_{schedule}')
        changed = {k for k in stock.keys() | values.keys() if stock.get(k) != values.get(k)}
        assert changed == {key} and values[key] == value, name


def check_views_without_negatives(cfg: Config, stem: str, small: bool) -> None:
    """Barlow Twins and VICReg: crops, normalization, projector, rates."""
    views = cfg.train_dataloader.dataset.pipeline[1].views
    assert [view[0].crop_ratio_range for view in views] == [(0.4, 1.0)] * 2
    pixels = dict(
        mean=255 * np.array([0.49, 0.468, 0.414]), std=255 * np.array([0.286, 0.278, 0.297])
    )
    if '_lite0_' in stem:
        pixels = dict(mean=[127] * 3, std=[128] * 3)
    for key, values in pixels.items():
        np.testing.assert_allclose(cfg.model.data_preprocessor[key], values)
    neck = cfg.model.neck
    assert (neck.num_layers, neck.hid_channels, neck.out_channels, neck.with_last_bn) == (
        *((3, 512, 512) if small else (3, 2048, 2048)),
        False,
    )
    assert neck.get('with_bias', False) == ('vicreg' in stem)
    # Of LARS: 0.2 for 256 images; Barlow Twins' biases and norms 0.0048.
    optimizer = cfg.optim_wrapper.optimizer
    if optimizer.type == 'mmpixcon.LARS':
        assert optimizer.lr == pytest.approx(0.2 * 2048 / 256)
        slow = (cfg.optim_wrapper.paramwise_cfg or {}).get('custom_keys', {})
        rates = [optimizer.lr * own.lr_mult for own in slow.values()]
        assert rates == pytest.approx([] if 'vicreg' in stem else [0.0048 * 8] * 4)
    else:
        assert optimizer.type == 'AdamW' and (small or 'swin' in stem)
    assert cfg.custom_hooks[-1].type == 'mmpixcon.EmbeddingMonitorHook'


@pytest.mark.parametrize('path', PRETRAIN, ids=lambda path: path.stem)
def test_pretraining_config_says_what_its_name_says(path):
    cfg = Config.fromfile(path)
    backbone = cfg.model.backbone
    if 'swin' not in path.stem:
        assert f'_{backbone_name(backbone)}_' in path.stem
    gpus, batch = path.stem.split('_')[2].split('-')[0].split('xb')
    assert cfg.train_dataloader.batch_size == int(batch)
    accumulated = int(dict(re.findall(r'-(accum)(\d+)', path.stem)).get('accum', 1))
    assert cfg.optim_wrapper.get('accumulative_counts', 1) == accumulated
    assert cfg.auto_scale_lr.base_batch_size == int(gpus) * int(batch) * accumulated
    epochs = cfg.train_cfg.max_epochs
    assert f'-{epochs}e_' in path.stem
    *warm_up, schedule = cfg.param_scheduler
    if path.stem.startswith('mocov1'):
        assert (epochs, schedule.milestones, schedule.gamma) == (200, [120, 160], 0.1)
    else:
        assert (schedule.T_max, schedule.end) == (epochs - 10 * len(warm_up), epochs)
    small = '_1xb32-' in path.stem
    pipeline = cfg.train_dataloader.dataset.pipeline
    views = next(step for step in pipeline if 'ContrastViews' in step.type).views
    assert [view[0].scale for view in views[:2]] == [96 if small else 224] * 2
    if method_of(path) in ('barlow_twins', 'vicreg'):
        check_views_without_negatives(cfg, path.stem, small)
        return
    if method_of(path) == 'baselines':
        # The learning rate of 4096 images.
        assert (cfg.optim_wrapper.optimizer.type, cfg.optim_wrapper.optimizer.lr) == ('LARS', 4.8)
        assert cfg.auto_scale_lr.base_batch_size == 4096
        assert [view[0].crop_ratio_range for view in views] == [(0.08, 1.0)] * 2
        return
    if method_of(path) != 'detco':
        assert cfg.model.queue_len == (192 if small else 65536)
        if method_of(path) == 'plrc':
            check_plrc(cfg, path.stem)
        return
    head = cfg.model.head
    weights = {'detco-w0001': (0, 0, 0, 1), 'detco-w1111': (1, 1, 1, 1)}
    variant = path.stem.split('_')[0]
    assert tuple(head.weights) == weights.get(variant.removesuffix('-norm'), (0.1, 0.4, 0.7, 1))
    assert head.get('normalize_weights', False) == variant.endswith('-norm')
    assert head.get('share_bank', False) == (variant == 'detco-shared-bank')
    # Tables V and VI, of 100 epochs, ablate the intermediate loss, of whole views.
    kinds = {'detco-gg': ['gg'], 'detco-gg-gl': ['gg', 'gl']}.get(variant, ['gg', 'gl', 'll'])
    if path.parent.name == 'ablations' and epochs == 100:
        kinds = ['gg']
    assert sorted(head.temperatures) == kinds
    assert len(views) == (2 if kinds == ['gg'] else 4)
    assert cfg.optim_wrapper.optimizer.lr == (
        0.01 if small else 1e-3 if 'swin' in variant + path.stem else 0.06
    )
    # RGB once: by the packing where there are patches, else by the preprocessor.
    packs_rgb = cfg.train_dataloader.dataset.pipeline[2].get('to_rgb', False)
    assert packs_rgb != cfg.model.data_preprocessor.bgr_to_rgb


@pytest.mark.slow
def test_cityscapes_with_mmsegmentation(tmp_path):
    pytest.importorskip('mmseg.models', reason='an optional extra')
    cfg = Config.fromfile(CITYSCAPES)
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[0].end == 90000
    assert cfg.train_dataloader.batch_size == 2 and cfg.auto_scale_lr.base_batch_size == 16
    init_default_scope('mmseg')
    model = cfg.model
    model.backbone.norm_cfg.type = model.decode_head.norm_cfg.type = 'BN'
    pretraining = Config.fromfile(CONFIGS / 'plrc' / 'plrc_r50_8xb32-200e_imagenet.py').model
    pretrained = MODELS.build(dict(pretraining.backbone, type='mmselfsup.ResNet'))
    state = {f'backbone.{k}': v for k, v in pretrained.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'epoch_200.pth')
    model.backbone.init_cfg.checkpoint = str(tmp_path / 'epoch_200.pth')
    segmentor = MODELS.build(model)
    segmentor.init_weights()
    for key, value in segmentor.backbone.state_dict().items():
        assert torch.equal(value, state[f'backbone.{key}']), key
    # Stride 16, large dilations.
    assert segmentor.extract_feat(torch.randn(1, 3, 65, 65))[-1].shape == (1, 2048, 5, 5)
    assert {b.conv2.dilation for b in segmentor.backbone.layer4} == {(2, 2)}
    assert {c.conv.dilation for c in segmentor.decode_head.convs} == {(6, 6)}
    assert segmentor.decode_head.num_classes == 19 and segmentor.test_cfg.mode == 'whole'


def test_table_5a_of_detco_is_mocos_size():
    init_default_scope('mmselfsup')
    detco = Config.fromfile(
        CONFIGS / 'detco' / 'ablations' / 'detco-w0001_r50_8xb32-100e_imagenet.py'
    ).model
    moco = Config.fromfile(CONFIGS / 'moco' / 'mocov2_r50_8xb32-200e_imagenet.py').model
    detco.head.queue_len, moco.queue_len = 8, 8
    sizes = [
        sum(p.numel() for p in MODELS.build(cfg).parameters() if p.requires_grad)
        for cfg in (detco, moco)
    ]
    assert sizes[0] == sizes[1]


# What a small model changes of mmdet's: sizes, and what learning from scratch needs.
SIZES = {
    *('depth', 'base_channels', 'strides', 'dilations', 'out_indices', 'in_channels'),
    *('num_outs', 'num_queries', 'num_feature_levels', 'num_layers', 'num_levels', 'num_points'),
    *('feedforward_channels', 'out_channels', 'feat_channels', 'fc_out_channels', 'num_convs'),
    *('conv_out_channels', 'stacked_convs', 'scales', 'octave_base_scale', 'num_dn_queries'),
    *('max_per_img', 'nms_pre', 'num', 'frozen_stages', 'requires_grad', 'norm_eval', 'type'),
    *('checkpoint', 'init_cfg', 'dropout', 'attn_drop', 'ffn_drop', 'with_box_refine'),
    'as_two_stage',
}


@pytest.mark.parametrize(
    'small,stock',
    {
        'conditional-detr_r18': 'conditional_detr/conditional-detr_r50_8xb2-50e_coco.py',
        'dab-detr_r18': 'dab_detr/dab-detr_r50_8xb2-50e_coco.py',
        'deformable-detr_r18': 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
        'deformable-detr-single-scale_r18': 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
        'detr_r18': 'detr/detr_r50_8xb2-150e_coco.py',
        'dino_r18': 'dino/dino-4scale_r50_8xb2-12e_coco.py',
        'faster-rcnn_r18_fpn': 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
        'mask-rcnn_r18_fpn': 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
        'retinanet_r18_fpn': 'retinanet/retinanet_r50_fpn_1x_coco.py',
    }.items(),
)
def test_small_models_are_mmdets_but_for_their_sizes(small, stock):
    ours = leaves(Config.fromfile(CONFIGS / '_base_' / 'models' / f'{small}.py').model.to_dict())
    theirs = leaves(get_config(f'mmdet::{stock}').model.to_dict())
    changed = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    unexpected = {key for key in changed if not SIZES & {*key.split('.')}}
    assert not {key for key in unexpected if not key.endswith('_scope_')}
    kinds = {key for key in changed if key.endswith('.type') and key in ours}
    assert not kinds


DATASETS_BY_NAME = {
    **{'coco': 'COCO', 'voc0712': 'PASCAL VOC 2007 test', 'lvis-v1': 'LVIS v1'},
    **{'bdd100k': 'BDD100K', 'scenes': 'built-in scenes', 'bccd': 'BCCD'},
    'household': 'household photos',
}


@pytest.mark.parametrize('path', [*METHODS, *FINETUNE], ids=lambda path: path.stem)
def test_what_is_evaluated_names_its_data_set(path):
    cfg = Config.fromfile(path)
    assert cfg.val_evaluator is not None
    assert cfg.dataset_name == DATASETS_BY_NAME[path.stem.rsplit('_', 1)[1]]
