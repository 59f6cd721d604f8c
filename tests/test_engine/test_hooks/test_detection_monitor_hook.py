"""A warning where all images have the same detections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import Tensor

from mmpixcon.engine.hooks import DetectionMonitorHook
from tests.helpers.tiny_model import TinyModel


def detections(boxes: Tensor, size: tuple[int, int]) -> DetDataSample:
    """An image with detections, the best one last."""
    sample = DetDataSample(metainfo=dict(ori_shape=size))
    scores = torch.linspace(0.1, 0.9, len(boxes))
    labels = torch.zeros(len(boxes), dtype=torch.long)
    sample.pred_instances = InstanceData(bboxes=boxes, scores=scores, labels=labels)
    return sample


class Detector(TinyModel):
    """Gives boxes, which depend on the image or do not.

    Args:
        same (bool): whether all images have the same.
        number (int): detections of an image.
    """

    def __init__(self, same: bool, number: int = 12) -> None:
        super().__init__()
        self.same, self.number = same, number

    def val_step(self, data: dict) -> list[DetDataSample]:
        """Detect in images of two sizes: the same places are shares of them."""
        samples = []
        for index in data['index'].tolist():
            generator = torch.Generator().manual_seed(0 if self.same else index)
            corner = torch.rand(self.number, 2, generator=generator)
            height, width = (60, 80) if index % 2 else (120, 100)
            boxes = torch.cat([corner, corner + 0.1], 1)
            size = torch.tensor([width, height, width, height])
            samples.append(detections(boxes * size, (height, width)))
        return samples


def log_of(make: Callable[..., Runner], name: str, model: TinyModel, **options: object) -> str:
    """Train for two evaluations of five images; return the log."""
    hooks = (dict(type='DetectionMonitorHook', **options),)
    runner = make(name, epochs=2, model=model, hooks=hooks)
    runner.val_dataloader.batch_sampler.batch_size = 2
    runner.train()
    numbers = runner.message_hub.log_scalars.get('val/detection_sameness')
    known = '' if numbers is None else f'sameness {numbers.current():.3f}\n'
    return known + '\n'.join(path.read_text() for path in Path(runner.log_dir).glob('*.log'))


def test_the_same_boxes_in_all_images_are_a_warning(tiny_runner: Callable[..., Runner]) -> None:
    log = log_of(tiny_runner, 'same', Detector(same=True))
    assert log.startswith('sameness 1.000')
    # mmengine writes the same line once.
    assert log.count('all images have the same detections') == 1
    assert 'train_dataloader.batch_size is 2: enlarge it' in log
    assert '--auto-scale-lr' in log


def test_boxes_that_depend_on_the_image_are_none(tiny_runner: Callable[..., Runner]) -> None:
    log = log_of(tiny_runner, 'others', Detector(same=False))
    value = float(log.split()[1])
    assert 0 <= value < 0.5
    assert 'the same detections' not in log


@pytest.mark.parametrize(
    'model', [Detector(same=True, number=9), TinyModel()], ids=['few', 'no detector']
)
def test_what_says_nothing(tiny_runner: Callable[..., Runner], model: TinyModel) -> None:
    log = log_of(tiny_runner, 'nothing', model)
    assert 'sameness' not in log and 'the same detections' not in log


@pytest.mark.parametrize(('score', 'warned'), [(0.05, True), (0.1, False), (-1.0, True)])
def test_objects_may_be_where_they_are_in_all_images(score: float, warned: bool) -> None:
    hook = DetectionMonitorHook()
    lines: list[str] = []

    class Quiet:
        """What the hook needs of a runner."""

        train_dataloader = None

        def __init__(self) -> None:
            self.message_hub = self.logger = self

        def update_scalar(self, name: str, value: float) -> None:
            """Take a number."""

        def log(self, level: int, text: str) -> None:
            """Take a line."""
            lines.append(text)

    runner = Quiet()
    boxes = torch.rand(20, 4).sort(1).values[:, [0, 1, 2, 3]]
    hook.before_val_epoch(runner)
    hook.after_val_iter(runner, 0, outputs=[detections(boxes, (1, 1))] * 3)
    hook.after_val_epoch(runner, {'coco/bbox_mAP': score, 'coco/bbox_mAP_50': 0.9})
    assert bool(lines) == warned
    # Forgotten in the next evaluation.
    hook.before_val_epoch(runner)
    hook.after_val_epoch(runner, {})
    assert bool(lines) == warned
