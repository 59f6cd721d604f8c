"""Affinity precision of a backbone while it is pretrained."""

from __future__ import annotations

import torch
from mmengine.runner import Runner

from mmpixcon.evaluation import image_affinity_precision
from mmpixcon.registry import HOOKS

from .measure_hook import MeasureHook


@HOOKS.register_module()
class AffinityPrecisionHook(MeasureHook):
    """Precision of point affinities against annotated objects, every few epochs.

    Points of the same object should be more alike, in the backbone's last map,
    than points of other objects and of the background of the same image
    (:func:`mmpixcon.evaluation.affinity_precision`). The mean average precision
    over points is logged as ``objects/affinity_precision_mean``, beside the mean share of
    points that are to be found, ``objects/affinity_precision_chance``.

    Args:
        images (dict): Data loader, an mmdet data set whose pipeline ends in
            ``PackDetInputs``; masks count where they are loaded, else boxes.
        interval (int): Epochs between two measurements. Defaults to 10.
        num_points (int): points of an object, and of the background. Defaults to 16.
        resolution (int): Cells a side that points are drawn from. Defaults to
            56.

    Raises:
        ValueError: A number is below 1.
    """

    name = 'affinity_precision'

    def __init__(
        self, images: dict, interval: int = 10, num_points: int = 16, resolution: int = 56
    ) -> None:
        settings = dict(num_points=num_points, resolution=resolution)
        super().__init__(dict(images=images), interval, **settings)
        self.settings = settings

    @torch.no_grad()
    def measure(self, runner: Runner) -> dict[str, float]:
        """Rank the points.

        Args:
            runner (Runner): runner with the model and its ``backbone``.

        Returns:
            dict: ``mean`` and ``chance``.

        Raises:
            ValueError: The data set has no objects.
        """
        loader = self.build_loaders()['images']
        parts = [
            image_affinity_precision(image_map, input_shape, sample, **self.settings)
            for maps, input_shape, samples in self.maps(runner, loader)
            for image_map, sample in zip(maps, samples)
        ]
        precision, chance = self.gather('images', loader, parts, 'objects of two points or more')
        return dict(mean=precision.mean().item(), chance=chance.mean().item())
