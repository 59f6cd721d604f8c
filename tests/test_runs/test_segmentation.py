"""From a detector to its masks: the shipped small configs through the real Runner."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmpixcon.apis.runner import make_safe
from mmpixcon.registry import DATASETS, MODELS
from tests.helpers.configs import CONFIGS, shipped_config

pytestmark = pytest.mark.slow

DETECTORS = ['deformable-detr_r18', 'detr_r18']


def quick(name, root, work_dir, **options):
    """A shipped small config for two short epochs on few images."""
    options = {
        'train_dataloader__batch_size': 4,
        'train_dataloader__dataset__indices': 8,
        'train_cfg__max_epochs': 2,
        'train_cfg__val_interval': 2,
        'randomness': dict(seed=0),
    } | options
    return shipped_config(name, root, work_dir, **options)


def masks_of(detector, root, work_dir, checkpoint, **options):
    name = f'segmentation/query-mask_{detector}_1xb8-6e_scenes.py'
    cfg = quick(name, root, work_dir, experiment_name=work_dir.name, **options)
    cfg.load_from = checkpoint
    return cfg


@pytest.fixture(scope='module', params=DETECTORS)
def trained(request, scenes_root, tmp_path_factory):
    """A stock detector's name and its checkpoint after an epoch."""
    detector, work_dir = request.param, tmp_path_factory.mktemp(request.param)
    cfg = quick(
        f'stock/{detector}_1xb8-12e_scenes.py',
        scenes_root,
        work_dir,
        train_cfg__max_epochs=1,
        experiment_name=work_dir.name,
    )
    # As tools/train.py does.
    make_safe(cfg)
    Runner.from_cfg(cfg).train()
    return detector, str(work_dir / 'epoch_1.pth')


def test_boxes_stay_and_masks_come(trained, scenes_root, tmp_path):
    detector, checkpoint = trained
    stock = quick(
        f'stock/{detector}_1xb8-12e_scenes.py',
        scenes_root,
        tmp_path / 'stock',
        load_from=checkpoint,
        experiment_name=f'test_{detector}',
    )
    boxes = Runner.from_cfg(stock).test()
    runner = Runner.from_cfg(masks_of(detector, scenes_root, tmp_path / 'masks', checkpoint))
    runner.train()
    metrics = {
        name: runner.message_hub.get_scalar(f'val/coco/{name}').current()
        for name in ('bbox_mAP', 'bbox_mAP_50', 'segm_mAP', 'segm_mAP_50')
    }
    assert metrics['bbox_mAP'] == boxes['coco/bbox_mAP']
    assert metrics['bbox_mAP_50'] == boxes['coco/bbox_mAP_50']
    # Something was evaluated: -1 and NaN stand for nothing.
    assert 0 <= metrics['segm_mAP'] <= metrics['segm_mAP_50'] <= 1
    losses = runner.message_hub.get_scalar('train/loss_mask').data[0]
    assert len(losses) == 4
    assert all(0 < loss < 1 for loss in losses)
    before = torch.load(checkpoint, weights_only=True)['state_dict']
    after = torch.load(tmp_path / 'masks' / 'epoch_2.pth', weights_only=True)['state_dict']
    for name, value in before.items():
        assert torch.equal(value, after.pop(name)), name
    assert {name.split('.')[0] for name in after} == {'mask'}


@pytest.mark.torch_versions
def test_resumed_run_ends_where_the_uninterrupted_one_does(trained, scenes_root, tmp_path):
    detector, checkpoint = trained
    whole = Runner.from_cfg(masks_of(detector, scenes_root, tmp_path / 'whole', checkpoint))
    whole.train()
    path = str(tmp_path / 'whole' / 'epoch_1.pth')
    torch.load(path, weights_only=True)
    cfg = masks_of(detector, scenes_root, tmp_path / 'resumed', path)
    cfg.resume = True
    resumed = Runner.from_cfg(cfg)
    resumed.train()
    assert resumed.iter == whole.iter == 4
    expected = whole.model.state_dict()
    for key, value in resumed.model.state_dict().items():
        assert torch.equal(value, expected[key]), key
    # The head went on from where it was, not from its start.
    halfway = torch.load(path, weights_only=True)['state_dict']
    assert not torch.equal(
        halfway['mask.mask_head.out.weight'], expected['mask.mask_head.out.weight']
    )


def test_random_weights_are_refused(trained, scenes_root, tmp_path):
    cfg = masks_of(trained[0], scenes_root, tmp_path, None)
    with pytest.raises(ValueError, match='load_from'):
        Runner.from_cfg(cfg).train()


def test_a_checkpoint_of_pixcon_fits(scenes_root, tmp_path):
    detector = 'deformable-detr_r18'
    name = f'pixcon/pixcon_{detector}_1xb8-12e_scenes.py'
    cfg = quick(name, scenes_root, tmp_path / 'pixcon', train_cfg__max_epochs=1)
    cfg.experiment_name = 'pixcon_first'
    Runner.from_cfg(cfg).train()
    checkpoint = str(tmp_path / 'pixcon' / 'epoch_1.pth')
    cfg = masks_of(detector, scenes_root, tmp_path / 'masks', checkpoint)
    runner = Runner.from_cfg(cfg)
    runner.train()
    before = torch.load(checkpoint, weights_only=True)['state_dict']
    after = copy.deepcopy(runner.model.state_dict())
    for key, value in before.items():
        if not key.startswith('pixcon.'):
            assert torch.equal(value, after[key]), key
    assert not any(key.startswith('pixcon.') for key in after)
    assert math.isfinite(runner.message_hub.get_scalar('train/loss_mask').current())


@pytest.mark.parametrize(('detector', 'level'), [('detr', 0), ('deformable-detr', 2)])
def test_the_full_config_brings_masks_through_its_pipeline(detector, level, scenes_root):
    cfg = Config.fromfile(CONFIGS / f'segmentation/query-mask_{detector}_r50_4xb3-15e_coco.py')
    assert cfg.val_evaluator.metric == cfg.test_evaluator.metric == ['bbox', 'segm']
    dataset = cfg.train_dataloader.dataset
    dataset.update(
        data_root=str(scenes_root),
        ann_file='annotations/train.json',
        data_prefix=dict(img='train/'),
        metainfo=dict(classes=('disc', 'triangle', 'ring', 'cross')),
    )
    dataset = DATASETS.build(dataset)
    np.random.seed(0)
    shapes, shares = set(), []
    for index in range(8):
        sample = dataset[index % 4]['data_samples']
        truth = sample.gt_instances
        assert (truth.masks.height, truth.masks.width) == sample.img_shape
        shapes.add(sample.img_shape)
        # The mask moved with the box; a crop may leave it less than the box.
        for box, mask in zip(truth.bboxes.tensor.numpy(), truth.masks.masks):
            rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
            assert len(rows) > 0
            low = np.array([columns[0], rows[0]])
            high = np.array([columns[-1] + 1, rows[-1] + 1])
            slack = 0.02 * max(sample.img_shape)
            assert (low > box[:2] - slack).all() and (high < box[2:] + slack).all()
            shares.append(((high - low) / (box[2:] - box[:2])).min())
    assert np.median(shares) > 0.95
    assert len(shapes) > 1
    model = MODELS.build(cfg.model)
    assert model.memory_level == level
    assert model.mask_head.fpn_channels == (1024, 512, 256)
    assert not any(p.requires_grad for p in model.detector.parameters())
