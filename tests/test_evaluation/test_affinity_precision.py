"""Precision of affinities: by hand, on scenes, by the hook and by the tool."""

from __future__ import annotations

import runpy
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmpixcon.engine.hooks import AffinityPrecisionHook
from mmpixcon.evaluation import affinity_precision, image_affinity_precision
from mmpixcon.evaluation.affinity_precision import draw_points
from mmpixcon.registry import MODELS
from tests.helpers.annotated_scenes import loader, runner
from tests.helpers.configs import CONFIGS, ROOT


def reference(features, objects):
    """Point by point; ties count together, as in scikit-learn."""
    count = len(features)
    scores, chances = [], []
    for i in range(count):
        others = [j for j in range(count) if j != i]
        same = [j for j in others if any(o[i] and o[j] for o in objects)]
        if not same:
            continue
        affinity = [float(features[i] @ features[j]) for j in range(count)]
        precision = []
        for j in same:
            retrieved = [k for k in others if affinity[k] >= affinity[j]]
            precision.append(sum(k in same for k in retrieved) / len(retrieved))
        scores.append(sum(precision) / len(precision))
        chances.append(len(same) / len(others))
    return torch.tensor(scores), torch.tensor(chances)


@pytest.mark.parametrize('seed', range(4))
def test_precision_by_hand(seed):
    torch.manual_seed(seed)
    # Few values, so that there are ties; objects overlap.
    features = torch.randint(2, (14, 4)) - 0.5
    objects = torch.rand(3, 14) < 0.3
    for got, want in zip(affinity_precision(features, objects), reference(features, objects)):
        torch.testing.assert_close(got, want)


def test_perfect_collapsed_and_absent():
    objects = torch.zeros(2, 12, dtype=torch.bool)
    objects[0, :4] = objects[1, 4:8] = True
    # The background differs from both.
    perfect = F.one_hot(torch.tensor([0] * 4 + [1] * 4 + [2] * 4)).float()
    actual, chance = affinity_precision(perfect, objects)
    assert actual.tolist() == [1] * 8
    torch.testing.assert_close(chance, torch.full((8,), 3 / 11))
    collapsed, _ = affinity_precision(torch.ones(12, 1), objects)
    torch.testing.assert_close(collapsed, chance)
    assert not len(affinity_precision(perfect, objects[:0])[0])


def test_points_are_distinct_and_of_their_group():
    groups = torch.rand(5, 30) < 0.3
    groups[4] = False
    generator = torch.Generator().manual_seed(0)
    expected = sum(min(int(group.sum()), 6) for group in groups)
    cells = draw_points(groups, 6, generator)
    assert len(cells) == expected and groups.any(0)[cells].all()
    assert len(draw_points(groups[:1], 99, generator).unique()) == groups[0].sum()


def painted(masks: bool):
    """A padded image with two squares, and a map of 8 x 8 that knows them."""
    boxes = torch.tensor([[0.0, 0, 24, 24], [40, 32, 64, 48]])
    instances = InstanceData(bboxes=boxes, labels=torch.zeros(2))
    label = np.zeros((64, 64), int)
    for k, (x1, y1, x2, y2) in enumerate(boxes.int().tolist(), 1):
        label[y1:y2, x1:x2] = k
    if masks:
        from mmdet.structures.mask import BitmapMasks

        instances.masks = BitmapMasks([(label[:48] == k).astype(np.uint8) for k in (1, 2)], 48, 64)
    sample = DetDataSample(gt_instances=instances, metainfo=dict(img_shape=(48, 64)))
    colors = torch.eye(3)[torch.from_numpy(label)[4::8, 4::8]]
    return colors.permute(2, 0, 1), sample


@pytest.mark.parametrize('masks', [False, True])
def test_points_of_an_image_are_read_where_they_are(masks):
    feature_map, sample = painted(masks)
    actual, chance = image_affinity_precision(feature_map, (64, 64), sample, 10, resolution=8)
    # Points at the cells' centres: what is read is exact. 9 and 6 cells are objects.
    assert actual.tolist() == [1.0] * 15
    # All of the first, all of the second, ten of the background.
    assert chance.sum() == pytest.approx((9 * 8 + 6 * 5) / 24)
    blind, _ = image_affinity_precision(torch.ones(1, 8, 8), (64, 64), sample, 10, resolution=8)
    torch.testing.assert_close(blind, chance)


def test_hook_on_scenes(scenes_root):
    run = runner()
    hook = AffinityPrecisionHook(loader(scenes_root, 'val', 4), num_points=8)
    actual = hook.measure(run)
    assert run.model.training
    # Colors alone tell something.
    assert actual['chance'] + 0.05 < actual['mean'] < 1
    assert hook.measure(run) == actual
    with pytest.raises(ValueError, match='AffinityPrecisionHook: interval = 10 and num_points = 0'):
        AffinityPrecisionHook({}, num_points=0)


def test_a_model_of_views_in_rgb_sees_rgb(scenes_root):
    hook = AffinityPrecisionHook(loader(scenes_root, 'val', 2))
    cfg = Config.fromfile(CONFIGS / 'detco' / 'detco_r18_1xb32-100e_scenes.py')
    assert not cfg.model.data_preprocessor.bgr_to_rgb
    images = hook.build_loaders()['images']
    # DetCo's views are packed as RGB, which its preprocessor then leaves.
    packed, turned, other = (
        next(iter(hook.maps(run, images)))[0]
        for run in (runner(False, cfg), runner(), runner(False))
    )
    assert torch.equal(packed, turned) and not torch.equal(packed, other)


@pytest.mark.slow
def test_tool_compares_checkpoints(scenes_root, tmp_path, monkeypatch, capsys):
    config = CONFIGS / 'moco' / 'mocov2_r18_1xb32-100e_scenes.py'
    backbone = MODELS.build(Config.fromfile(config).model.backbone)
    state = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'a.pth')
    constant = {k: torch.zeros_like(v) for k, v in state.items()}
    torch.save(dict(state_dict=constant), tmp_path / 'b.pth')
    tool = str(ROOT / 'tools' / 'analysis_tools' / 'affinity_precision.py')
    command = [
        tool,
        config,
        tmp_path / 'a.pth',
        tmp_path / 'b.pth',
        '--num',
        '3',
        '--device',
        'cpu',
    ]
    command += ['--annotations', scenes_root / 'annotations' / 'val.json', '--images']
    monkeypatch.setattr(sys, 'argv', [str(word) for word in (*command, scenes_root / 'val')])
    runpy.run_path(tool, run_name='__main__')
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split('|')[1:5] for line in lines if line.startswith('| /')]
    (_, precision, chance, points), (_, collapsed, other_chance, _) = rows
    assert float(chance) < float(precision) < 1
    assert int(points) > 20 and chance == other_chance
    # Features without any difference score what chance does.
    assert float(collapsed) == pytest.approx(float(chance), abs=1e-3)
    # A map of stride 16 in the place of 32 reads other features of the same weights.
    options = ('--cfg-options', 'model.backbone.strides=1,2,2,1')
    finer = (*command, scenes_root / 'val', *options)
    monkeypatch.setattr(sys, 'argv', [str(word) for word in finer])
    runpy.run_path(tool, run_name='__main__')
    rows = [x.split('|')[2:5] for x in capsys.readouterr().out.splitlines() if x.startswith('| /')]
    assert rows[0][0] != precision and rows[0][1:] == [chance, points]
    monkeypatch.setattr(sys, 'argv', [str(word) for word in (*command, tmp_path / 'none')])
    with pytest.raises(SystemExit):
        runpy.run_path(tool, run_name='__main__')
    assert 'none does not exist' in capsys.readouterr().err
