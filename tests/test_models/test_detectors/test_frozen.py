"""FrozenDetector: what learns and what does not, in detectors of every kind."""

from __future__ import annotations

import copy
from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import load_state_dict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmpixcon.models.detectors import FrozenDetector
from mmpixcon.registry import MODELS

pytestmark = pytest.mark.slow

TRANSFORMER = dict(
    encoder=dict(num_layers=1, layer_cfg=dict(ffn_cfg=dict(feedforward_channels=32))),
    decoder=dict(num_layers=2, layer_cfg=dict(ffn_cfg=dict(feedforward_channels=32))),
    num_queries=12,
    test_cfg=dict(max_per_img=12),
)
# Config of mmdet; changes of size; what learns.
DETECTORS = {
    'DETR': (
        'detr/detr_r50_8xb2-150e_coco.py',
        dict(**TRANSFORMER, neck=dict(in_channels=[64])),
        {'bbox_head.fc_cls.weight', 'bbox_head.fc_cls.bias'},
    ),
    'Conditional DETR': (
        'conditional_detr/conditional-detr_r50_8xb2-50e_coco.py',
        dict(**TRANSFORMER, neck=dict(in_channels=[64])),
        {'bbox_head.fc_cls.weight', 'bbox_head.fc_cls.bias'},
    ),
    # Its layers share one.
    'Deformable DETR': (
        'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
        dict(**TRANSFORMER, neck=dict(in_channels=[16, 32, 64])),
        {'bbox_head.cls_branches.0.weight', 'bbox_head.cls_branches.0.bias'},
    ),
    # Two layers of the decoder, and the proposals.
    'DINO': (
        'dino/dino-4scale_r50_8xb2-12e_coco.py',
        dict(**TRANSFORMER, neck=dict(in_channels=[16, 32, 64])),
        {f'bbox_head.cls_branches.{i}.{name}' for i in range(3) for name in ('weight', 'bias')}
        | {'dn_query_generator.label_embedding.weight'},
    ),
    'Faster R-CNN': (
        'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
        dict(
            neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
            rpn_head=dict(in_channels=16, feat_channels=16),
            roi_head=dict(
                bbox_roi_extractor=dict(out_channels=16),
                bbox_head=dict(in_channels=16, fc_out_channels=16),
            ),
        ),
        {'roi_head.bbox_head.fc_cls.weight', 'roi_head.bbox_head.fc_cls.bias'},
    ),
    'RetinaNet': (
        'retinanet/retinanet_r50_fpn_1x_coco.py',
        dict(
            neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
            bbox_head=dict(in_channels=16, feat_channels=16, stacked_convs=1),
        ),
        {'bbox_head.retina_cls.weight', 'bbox_head.retina_cls.bias'},
    ),
}
# Small, and with batch norm that would learn and count.
BACKBONE = dict(
    depth=18,
    base_channels=8,
    frozen_stages=-1,
    norm_cfg=dict(type='BN', requires_grad=True),
    norm_eval=False,
    init_cfg=None,
)


def detector_config(name: str) -> dict:
    """Config of a small detector."""
    path, sizes, _ = DETECTORS[name]
    cfg = Config.fromfile(Path(mmdet.__file__).parent / '.mim' / 'configs' / path)
    cfg.merge_from_dict({'model': {'backbone': BACKBONE, **sizes}})
    return cfg.model


def frozen(name: str, **options: object) -> FrozenDetector:
    """A small detector, frozen, with random weights."""
    torch.manual_seed(0)
    cfg = dict(type='mmpixcon.FrozenDetector', detector=detector_config(name), **options)
    model = MODELS.build(cfg)
    model.init_weights()
    return model


def batch() -> dict:
    """Two images with two boxes and one."""
    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for boxes in ([[5.0, 8, 40, 50], [30, 2, 90, 60]], [[10.0, 10, 60, 30]]):
        inputs.append(torch.randint(256, (3, 64, 96), generator=generator, dtype=torch.uint8))
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(64, 96), ori_shape=(64, 96), scale_factor=(1.0, 1.0), img_id=len(samples)
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(boxes), labels=torch.arange(len(boxes)) + 3
        )
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        )
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """Copies of all parameters and statistics."""
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize('name', DETECTORS)
def test_class_layers_learn_and_nothing_else_moves(name: str) -> None:
    model = frozen(name)
    expected = DETECTORS[name][2]
    assert set(model.trainable) == expected
    learning = {n for n, p in model.detector.named_parameters() if p.requires_grad}
    assert learning == expected
    # All parameters, so that weight decay would move those that are frozen too.
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    wrapper = OptimWrapper(optimizer, clip_grad=dict(max_norm=0.1))
    before = tensors(model)
    assert any(key.endswith('running_mean') for key in before)
    model.train()
    data = batch()
    for _ in range(2):
        losses = model.train_step(data, wrapper)
        assert losses['loss'].isfinite()
    after = tensors(model)
    for key, value in after.items():
        # Shared layers stand under several names.
        shared = 'cls_branches' in key and name == 'Deformable DETR'
        if key in expected or shared:
            assert not torch.equal(value, before[key]), key
        else:
            assert torch.equal(value, before[key]), key


@pytest.mark.parametrize('name', DETECTORS)
def test_every_parameter_that_learns_gets_a_gradient(name: str) -> None:
    """DistributedDataParallel would wait for one that does not, with images without boxes too."""
    model = frozen(name).train()
    for empty in (False, True):
        data = batch()
        if empty:
            for sample in data['data_samples']:
                sample.gt_instances = sample.gt_instances[:0]
        model.zero_grad()
        processed = model.data_preprocessor(data, True)
        total, _ = model.parse_losses(model(**processed, mode='loss'))
        total.backward()
        for parameter_name, parameter in model.named_parameters():
            assert (parameter.grad is not None) == parameter.requires_grad, parameter_name


@pytest.mark.parametrize('name', DETECTORS)
def test_frozen_parts_stay_in_evaluation_mode(name: str) -> None:
    model = frozen(name)
    for _ in range(2):
        model.train()
        # The detector itself decides by it whether it makes denoising queries.
        assert model.training and model.detector.training
        for part_name, part in model.detector.named_modules():
            if part_name:
                learns = any(parameter.requires_grad for parameter in part.parameters())
                assert part.training == learns, part_name
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms and not any(norm.training for norm in norms)
        model.eval()
        assert not any(part.training for part in model.modules())


@pytest.mark.parametrize('name', DETECTORS)
def test_losses_and_keys_are_the_stock_detectors(name: str) -> None:
    model = frozen(name)
    stock = MODELS.build(copy.deepcopy(detector_config(name)))
    assert set(model.state_dict()) == set(stock.state_dict())
    load_state_dict(stock, model.state_dict(), strict=True)
    again = frozen(name)
    load_state_dict(again, stock.state_dict(), strict=True)
    for key, value in again.state_dict().items():
        assert torch.equal(value, stock.state_dict()[key])
    # As the frozen one: statistics and dropout out of it.
    stock.train()
    for part in stock.children():
        part.eval()
    actual = []
    for detector in (again.train(), stock):
        data = detector.data_preprocessor(batch(), True)
        torch.manual_seed(0)
        actual.append(detector(**data, mode='loss'))
    assert actual[0].keys() == actual[1].keys()
    for key, value in actual[1].items():
        torch.testing.assert_close(actual[0][key], value)
    results = []
    for detector in (again.eval(), stock.eval()):
        data = detector.data_preprocessor(batch(), False)
        with torch.no_grad():
            results.append(detector(**data, mode='predict'))
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours.pred_instances.scores, theirs.pred_instances.scores)
        torch.testing.assert_close(ours.pred_instances.bboxes, theirs.pred_instances.bboxes)


def test_patterns_choose_what_learns() -> None:
    model = frozen('DETR', trainable=[r'^bbox_head\.fc_', r'query_embedding'])
    parts = ('fc_cls.weight', 'fc_cls.bias', 'fc_reg.weight', 'fc_reg.bias')
    assert set(model.trainable) == {'query_embedding.weight', *(f'bbox_head.{p}' for p in parts)}


def test_a_pattern_without_a_parameter_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"trainable: 'cls_branches' matches no .* of DETR") as e:
        frozen('DETR', trainable=['bbox_head', 'cls_branches'])
    assert 'bbox_head.fc_cls' in str(e.value)
    assert 'backbone.layer1' in str(e.value)
