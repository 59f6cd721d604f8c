"""Transfer to another data set: BDD100K's configs, linear probes and fine-tuning."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_state_dict
from PIL import Image

from mmpixcon.apis.runner import make_safe
from mmpixcon.engine import compare_state_dicts
from mmpixcon.models.detectors import PixelContrastDetector
from mmpixcon.registry import DATASETS, MODELS
from tests.helpers.configs import CONFIGS, ROOT, shipped_config
from tests.helpers.processes import load_tool
from tests.helpers.runs import quick, scalars, weights

pytestmark = pytest.mark.slow

CONVERTER = load_tool(ROOT / 'tools' / 'dataset_converters' / 'bdd100k_to_coco.py')
BDD = sorted(CONFIGS.rglob('*_bdd100k.py'))
SMALL = ['deformable-detr_r18', 'faster-rcnn_r18_fpn']
LEARNING = {
    'deformable-detr_r18': r'bbox_head.cls_branches.',
    'faster-rcnn_r18_fpn': ('roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg'),
}


@pytest.fixture(scope='module')
def bdd_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny BDD100K: three images a split, in its folders, with converted labels."""
    root = tmp_path_factory.mktemp('bdd100k')
    corners = {'x1': 10.0, 'y1': 20.0, 'x2': 70.0, 'y2': 60.0}
    for split in ('train', 'val'):
        images = root / 'images' / '100k' / split
        images.mkdir(parents=True)
        frames = []
        for i in range(3):
            pixels = np.random.default_rng(i).integers(256, size=(72, 128, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(images / f'{i}.jpg')
            names = ('person', 'traffic sign')[: i + 1]
            labels = [{'category': name, 'box2d': corners} for name in names]
            frames.append({'name': f'{i}.jpg', 'labels': labels})
        path = root / f'bdd100k_labels_images_{split}.json'
        path.write_text(json.dumps(frames))
        out = root / 'labels' / f'bdd100k_det_{split}_coco.json'
        CONVERTER.convert(path, out, img_dir=images)
    return root


@pytest.mark.parametrize('path', BDD, ids=lambda path: path.stem)
def test_bdd100k_config_reads_its_data_and_builds(path: Path, bdd_root: Path, tmp_path: Path):
    cfg = shipped_config(str(path.relative_to(CONFIGS)), bdd_root, tmp_path)
    assert Config.fromfile(path).train_dataloader.dataset.data_root == 'data/bdd100k/'
    for split in ('train', 'val', 'test'):
        dataset = DATASETS.build(cfg[f'{split}_dataloader'].dataset)
        assert len(dataset) == 3
        assert dataset.metainfo['classes'] == CONVERTER.CLASSES
        instances = dataset.get_data_info(1)['instances']
        assert [i['bbox'] for i in instances] == [[10.0, 20.0, 70.0, 60.0]] * 2
        assert [i['bbox_label'] for i in instances] == [0, 9]
        np.random.seed(0)
        sample = dataset[1]
        if split != 'train':
            assert sample['data_samples'].img_path == f'{bdd_root}/images/100k/val/1.jpg'
            evaluator = cfg[f'{split}_evaluator']
            assert Path(evaluator.ann_file) == bdd_root / 'labels' / 'bdd100k_det_val_coco.json'
    # What the images are trained at is the detector's: nothing of it is changed.
    assert cfg.train_dataloader.batch_size == 3
    assert cfg.auto_scale_lr.base_batch_size == 12
    detector = cfg.model.get('detector', cfg.model)
    assert detector.bbox_head.num_classes == 10
    detector.backbone.init_cfg = None
    MODELS.build(copy.deepcopy(cfg.model))


@pytest.mark.parametrize('kind', ['linear-probe', 'fine-tune'])
def test_weights_of_coco_fit_but_for_the_class_layers(kind: str) -> None:
    """80 classes into 10: six names of one shared layer, weight and bias."""
    cfg = Config.fromfile(CONFIGS / 'pixcon' / 'pixcon_deformable-detr_r50_4xb3-50e_coco.py')
    cfg.model.detector.backbone.init_cfg = None
    source = MODELS.build(cfg.model).state_dict()
    # Unset until init_weights: any bits, NaN among them.
    source['level_embed'].normal_()
    cfg = Config.fromfile(CONFIGS / 'transfer' / f'deformable-detr_r50_{kind}_4xb3-12e_bdd100k.py')
    cfg.model.get('detector', cfg.model).backbone.init_cfg = None
    target = MODELS.build(cfg.model)
    report = compare_state_dicts(target.state_dict(), source)
    assert report.missing == ()
    assert set(report.mismatched) == {
        f'bbox_head.cls_branches.{i}.{name}' for i in range(6) for name in ('weight', 'bias')
    }
    # PixCon's own part, which a stock detector has no use for.
    assert all(key.startswith(PixelContrastDetector.own_prefix) for key in report.unexpected)
    shown = 'shape mismatch: bbox_head.cls_branches.0.weight, bbox_head.cls_branches.0.bias, '
    assert report.table().splitlines()[-1].startswith(shown)
    load_state_dict(target, source, strict=False)
    for key, value in target.state_dict().items():
        same = key in report.loaded or key.endswith('num_batches_tracked')
        assert (value.shape == source[key].shape and torch.equal(value, source[key])) == same, key


@pytest.fixture(scope='module')
def pretrained(scenes_root: Path, tmp_path_factory: pytest.TempPathFactory):
    """Checkpoints of stock small detectors after an epoch on the built-in scenes."""
    made = {}

    def get(detector: str) -> str:
        if detector not in made:
            work_dir = tmp_path_factory.mktemp('pretrained') / detector
            name = f'stock/{detector}_1xb8-12e_scenes.py'
            cfg = quick(name, scenes_root, work_dir, train_cfg__max_epochs=1)
            make_safe(cfg)
            Runner.from_cfg(cfg).train()
            made[detector] = str(work_dir / 'epoch_1.pth')
        return made[detector]

    return get


def transfer(detector: str, kind: str, root: Path, work_dir: Path, **options: object) -> Runner:
    """A short run of a shipped transfer config."""
    name = f'transfer/{detector}_{kind}_1xb8-12e_bccd.py'
    options = dict(train_cfg__max_epochs=1, train_cfg__val_interval=5) | options
    cfg = quick(name, root, work_dir, experiment_name=f'{work_dir.name}-{detector}', **options)
    return Runner.from_cfg(cfg)


@pytest.mark.parametrize('detector', SMALL)
def test_linear_probe_moves_the_class_layers_only(
    detector: str, pretrained, bccd_root: Path, tmp_path: Path
) -> None:
    checkpoint = pretrained(detector)
    source = torch.load(checkpoint, weights_only=True)['state_dict']
    runner = transfer(detector, 'linear-probe', bccd_root, tmp_path, load_from=checkpoint)
    assert runner.cfg.param_scheduler[0].milestones == [11]
    runner.train()
    assert all(np.isfinite(scalars(runner, 'train/loss'))) and runner.iter == 2
    result = weights(runner)
    assert result.keys() == source.keys()
    for key, value in result.items():
        if key.startswith(LEARNING[detector]):
            # Four classes there, three here.
            assert value.shape != source[key].shape, key
        else:
            assert torch.equal(value, source[key]), key
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'shape mismatch: ' + next(k for k in result if k.startswith(LEARNING[detector])) in log
    # What it leaves is a checkpoint of the stock detector.
    stock = Config.fromfile(CONFIGS / 'stock' / f'{detector}_1xb8-24e_bccd.py')
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    load_state_dict(MODELS.build(stock.model), saved, strict=True)


def test_fine_tuning_moves_everything(pretrained, bccd_root: Path, tmp_path: Path) -> None:
    checkpoint = pretrained('deformable-detr_r18')
    source = torch.load(checkpoint, weights_only=True)['state_dict']
    runner = transfer('deformable-detr_r18', 'fine-tune', bccd_root, tmp_path, load_from=checkpoint)
    runner.train()
    assert all(parameter.requires_grad for parameter in runner.model.parameters())
    for key, parameter in runner.model.named_parameters():
        if parameter.grad is not None and parameter.grad.abs().max() > 0:
            fits = parameter.shape == source[key].shape
            assert not (fits and torch.equal(parameter, source[key])), key


@pytest.mark.parametrize(('kind', 'resume'), [('linear-probe', False), ('fine-tune', True)])
def test_without_a_checkpoint_there_is_no_run(
    kind: str, resume: bool, bccd_root: Path, tmp_path: Path
) -> None:
    runner = transfer('deformable-detr_r18', kind, bccd_root, tmp_path, resume=resume)
    with pytest.raises(ValueError, match=r'load_from: this config starts from a checkpoint'):
        runner.train()
    assert runner.iter == 0


def test_a_class_dependent_layer_that_stays_random_is_named(
    pretrained, bccd_root: Path, tmp_path: Path
) -> None:
    detector = 'faster-rcnn_r18_fpn'
    runner = transfer(
        detector,
        'linear-probe',
        bccd_root,
        tmp_path,
        load_from=pretrained(detector),
        model__trainable=None,
    )
    with pytest.raises(ValueError, match=r'2 parameters do not learn') as error:
        runner.train()
    assert 'roi_head.bbox_head.fc_reg.weight, roi_head.bbox_head.fc_reg.bias' in str(error.value)


def test_the_fragments_fit_a_config_of_ones_own(tmp_path: Path) -> None:
    """As their comments say, on a config of mmdet with hooks of its own."""
    lines = [
        line.removeprefix('#   ')
        for line in (CONFIGS / '_base_/transfer/linear_probe.py').read_text().splitlines()
        if line.startswith('#   ')
    ]
    assert len(lines) == 6
    text = '\n'.join(lines).replace(
        'YOUR_CONFIG.py', 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'
    )
    path = tmp_path / 'mine.py'
    path.write_text(text)
    cfg = Config.fromfile(path)
    assert cfg.model.type == 'mmpixcon.FrozenDetector'
    assert cfg.model.detector.type == 'RTMDet'
    settings = dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=1)
    assert {**cfg.train_cfg, '_scope_': None} == {**settings, '_scope_': None}
    assert [hook.type for hook in cfg.custom_hooks] == [
        'mmpixcon.PlainCheckpointHook',
        'mmpixcon.FiniteLossHook',
        'mmpixcon.RequireCheckpointHook',
    ]
    cfg.model.detector.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    assert {name.split('.')[1] for name in model.trainable} == {'rtm_cls'}
