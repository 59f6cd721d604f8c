"""Configs of Siamese DETR, UP-DETR, DETReg: names, settings, and the full ones on photos."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from mmengine.config import Config

from mmpixcon.datasets.proposals.store import write_proposals
from mmpixcon.registry import DATASETS, MODELS
from tests.helpers.configs import CONFIGS, REGION_PRETEXTS, backbone_name, method_of

pytestmark = pytest.mark.slow

PATHS = sorted(p for folder in REGION_PRETEXTS for p in (CONFIGS / folder).rglob('*.py'))
FULL = [p for p in PATHS if '_r50_' in p.stem]
MODEL = dict(siamese_detr='SiameseDETR', updetr='UPDETR', detreg='DETReg')
DETECTORS = {
    'detr': ('DETR', 100),
    'conditional-detr-100q': ('ConditionalDETR', 100),
    'conditional-detr': ('ConditionalDETR', 300),
    'dab-detr': ('DABDETR', 300),
    'dn-detr': ('mmpixcon.DNDETR', 300),
    'deformable-detr': ('DeformableDETR', 300),
    'deformable-detr-single-scale': ('DeformableDETR', 300),
    'dab-deformable-detr': ('mmpixcon.DNDeformableDETR', 300),
    'dn-deformable-detr': ('mmpixcon.DNDeformableDETR', 300),
    'dino-4scale': ('DINO', 900),
}
# Rows of the paper's tables 1, 2 and 6: who pretrains what, on what.
TABLES = {
    'siamese_detr': {
        'imagenet': [
            'detr',
            'conditional-detr-100q',
            'conditional-detr',
            'deformable-detr-single-scale',
            'deformable-detr',
        ],
        'coco': ['conditional-detr-100q', 'dab-deformable-detr', 'dn-deformable-detr'],
    },
    'updetr': {
        'imagenet': [
            'detr',
            'conditional-detr-100q',
            'conditional-detr',
            'deformable-detr-single-scale',
            'deformable-detr',
        ],
        'coco': ['conditional-detr-100q'],
    },
    'detreg': {
        'imagenet': ['detr', 'conditional-detr-100q', 'deformable-detr'],
        'coco': ['conditional-detr-100q'],
    },
}
# Table 3: L_r's weight, what it reconstructs, L_g's weight, two views.
ABLATIONS = {
    'siamese-detr-a-detection': (0.0, 'crop', 0.0, True),
    'siamese-detr-b-global': (0.0, 'crop', 10.0, True),
    'siamese-detr-c-object': (5.0, 'object', 0.0, True),
    'siamese-detr-d-crop': (5.0, 'crop', 0.0, True),
    'siamese-detr': (5.0, 'crop', 10.0, True),
    'siamese-detr-single-view': (5.0, 'crop', 10.0, False),
}


def test_every_row_of_the_papers_tables_has_a_config():
    for folder, by_data in TABLES.items():
        for data, detectors in by_data.items():
            for detector in detectors:
                name = f'{folder.replace("_", "-")}_{detector}_r50_*-60e_{data}.py'
                assert len(list((CONFIGS / folder).glob(name))) == 1, name


@pytest.mark.parametrize('path', PATHS, ids=lambda path: path.stem)
def test_config_says_what_its_name_says(path):
    cfg = Config.fromfile(path)
    method, detector, backbone, schedule, data = path.stem.split('_')
    assert cfg.model.type == f'mmpixcon.{MODEL[method_of(path)]}'
    assert method.startswith(method_of(path).replace('_', '-'))
    detector_cfg = cfg.model.detector
    assert backbone == backbone_name(detector_cfg.backbone)
    if backbone == 'lite0':
        assert not detector_cfg.as_two_stage
        assert detector_cfg.backbone.init_cfg.checkpoint == 'efficientnet-lite://lite0'
    full = backbone == 'r50'
    if full:
        assert (detector_cfg.type, detector_cfg.num_queries) == DETECTORS[detector]
        assert detector_cfg.backbone.init_cfg.checkpoint.endswith('/swav_800ep_pretrain.pth.tar')
        assert detector_cfg.backbone.init_cfg.prefix == 'module.'
        # Table 6's, at the end of a config of denoising.
        assert (detector_cfg.get('dn_cfg', {}).get('num_groups', 5) == 0) == (
            detector == 'dab-deformable-detr'
        )
    assert detector_cfg.get('num_feature_levels', 1) == {
        'deformable-detr': 4 if full else 3,
        'deformable-detr-one-stage': 3,
        'dab-deformable-detr': 4,
        'dn-deformable-detr': 4,
    }.get(detector, 1)
    gpus, batch = schedule.split('-')[0].split('xb')
    assert cfg.train_dataloader.batch_size == int(batch)
    assert cfg.auto_scale_lr.base_batch_size == int(gpus) * int(batch)
    assert schedule.endswith(f'-{cfg.train_cfg.max_epochs}e')
    # DETReg's release has a schedule of its own.
    released = schedule.endswith('-5e')
    milestones = [13] if schedule.endswith('-20e') else [] if released else [40]
    assert cfg.param_scheduler[-1].get('milestones', []) == milestones
    assert cfg.param_scheduler[-1].end == cfg.train_cfg.max_epochs
    root = 'examples/bccd/' if data == 'bccd' else f'data/{data}/'
    assert cfg.train_dataloader.dataset.data_root == root
    assert cfg.get('val_cfg') is None and cfg.get('val_dataloader') is None
    optimizer = cfg.optim_wrapper
    assert optimizer.optimizer.type == 'AdamW' and optimizer.clip_grad.max_norm == 0.1
    assert optimizer.optimizer.lr == (2e-4 if released else 1e-4 if full else 4e-4)
    assert ('paramwise_cfg' in optimizer) == released or not full
    pipeline = cfg.train_dataloader.dataset.pipeline
    source = next(step.source for step in pipeline if 'source' in step)
    stock = {'siamese-detr': 'edge_boxes', 'updetr': 'random', 'detreg': 'selective_search'}
    base = next(name for name in stock if method.startswith(name))
    kind = method[len(base) + 1 :].replace('-', '_')
    boxes = kind if kind in ('random', 'edge_boxes', 'selective_search') else stock[base]
    if boxes == 'random':
        assert source.type.startswith('Random')
    else:
        assert source == dict(type='ProposalRegions', path=f'{root}proposals/{boxes}')
    head = cfg.model.get('head', {})
    if method_of(path) == 'siamese_detr':
        weights = (head.region_weight, head.get('target', 'crop'), head.global_weight)
        two_views = head.get('multi_view', True)
        if data != 'imagenet':
            assert (*weights, two_views) == (3.0, 'crop', 0.3, True)
        elif detector in ('conditional-detr-100q', 'conditional-detr'):
            expected = ABLATIONS.get(method, ABLATIONS['siamese-detr'])
            assert (*weights, two_views) == expected
        else:
            of_l_r = 5.0 if detector.startswith('conditional') else 3.0
            assert (*weights, two_views) == (of_l_r, 'crop', 10.0, True)
        crops = any(step.type == 'mmpixcon.RegionCrops' for step in pipeline)
        assert crops == (head.region_weight > 0 and head.get('target', 'crop') == 'crop')


@pytest.fixture(scope='module')
def proposals(tmp_path_factory, bccd_root):
    """Boxes of two photos."""
    images = json.loads((bccd_root / 'train.json').read_text())['images'][:2]
    path = tmp_path_factory.mktemp('bccd') / 'proposals'
    box = np.array([[100, 100, 300, 300], [200, 150, 400, 380]])
    write_proposals(path, [f'images/{image["file_name"]}' for image in images], [box] * 2)
    return path


@pytest.mark.parametrize('path', FULL, ids=lambda path: path.stem)
def test_full_config_builds_and_reads_a_photo(path, bccd_root, proposals):
    cfg = Config.fromfile(path)
    cfg.model.detector.backbone.init_cfg = None
    model = MODELS.build(copy.deepcopy(cfg.model))
    assert not any(p.requires_grad for p in model.detector.backbone.parameters())
    assert model.map_channels[-1] == 2048
    dataset = cfg.train_dataloader.dataset
    dataset.update(
        data_root=str(bccd_root),
        ann_file='train.json',
        data_prefix=dict(img_path='images/'),
        indices=2,
    )
    for step in dataset.pipeline:
        if step.get('source', {}).get('type') == 'ProposalRegions':
            step.source.path = str(proposals)
    np.random.seed(0)
    sample = DATASETS.build(dataset)[0]
    if method_of(path) == 'siamese_detr':
        assert sample['inputs']['view1'].shape == sample['inputs']['view2'].shape
        one, two = sample['data_samples']['view1'], sample['data_samples']['view2']
        assert len(one.gt_instances) == len(two.gt_instances) == model.num_regions == 10
        assert ('crops' in one) == model.head.needs_crops
        return
    sample = sample['data_samples']
    count = len(sample.gt_instances)
    assert sample.crops.shape == (count, 3, 128, 128)
    if method_of(path) == 'updetr':
        assert count == model.num_regions == 10
        # Of a photo of 640 x 480: a long side of 600 at most makes 450 of 464 and 480.
        imagenet = (320, 336, 352, 368, 400, 416, 432, 448, 450)
        sides = range(480, 801, 32) if 'coco' in path.stem else imagenet
        assert min(sample.img_shape) in sides
    else:
        assert 0 <= count <= 30
        assert model.embedding.layers[-1].out_features == model.map_channels[0]
