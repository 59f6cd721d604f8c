"""Recipes of trainings on one's own data: files that run_recipe.py reads as well."""

from __future__ import annotations

import json
import os
import pprint
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from mmpixcon.recipes.launch import Launch, run_logged, tools_folder
from mmpixcon.utils.files import replace_file

from .choices import DetectorChoice, MethodChoice
from .configs import METRIC, detector_config, pretraining_config, slug, write_config
from .data import FitData
from .plans import Plan

METRICS = {'AP': METRIC, 'AP50': f'{METRIC}_50'}


@dataclass(frozen=True)
class Training:
    """Settings of the trainings of a detector that differ in the method alone.

    Attributes:
        detector (DetectorChoice): detector.
        data (FitData): data.
        ema (bool): whether the average of the weights is saved.
        patience (int, optional): evaluations without a better AP before the training stops.
        options (Mapping[str, Any]): settings of the user for the config of the detector.
    """

    detector: DetectorChoice
    data: FitData
    ema: bool
    patience: int | None
    options: Mapping[str, Any]

    def stages(
        self, name: str, method: MethodChoice, plan: Plan, percents: Iterable[float], out: Path
    ) -> dict[str, dict[str, Any]]:
        """Write the configs of a method, and give its stages.

        Args:
            name (str): name of the method.
            method (MethodChoice): method.
            plan (Plan): lengths and sizes.
            percents (Iterable[float]): shares of the labeled photos.
            out (Path): folder of the recipe; configs go to ``configs`` in it.

        Returns:
            dict[str, dict[str, Any]]: stages of the pretraining, if there is one, and of a detector
            for each share, named as :func:`detector_stage` does.
        """
        stages: dict[str, dict[str, Any]] = {}
        configs = out / 'configs'
        fine_tuning: dict[str, Any] = {}
        if method.kind in ('backbone', 'region'):
            proposals = out.parent / 'proposals' / method.proposals if method.proposals else out
            cfg = pretraining_config(self.detector, method, self.data, plan, proposals.resolve())
            path = write_config(cfg, configs / f'{slug(name)}.py', f'Pretraining: {method.about}.')
            stages[name] = dict(config=f'configs/{path.name}', seeds=(0,))
            fine_tuning = (
                dict(init={'load_from': name})
                if method.kind == 'region'
                else dict(init={'model.backbone.init_cfg.checkpoint': name}, normalize_as=name)
            )
        cfg = detector_config(
            self.detector, method, self.data, plan, self.ema, self.patience, self.options
        )
        path = write_config(
            cfg, configs / f'detector_{slug(name)}.py', f'{self.detector.about}; {method.about}.'
        )
        for percent in percents:
            stage = dict(config=f'configs/{path.name}', **fine_tuning)
            if percent < 100:
                stage['percent'] = percent
            stages[detector_stage(name, percent)] = stage
        return stages


def detector_stage(method: str, percent: float) -> str:
    """Name the stage that trains a detector."""
    return f'{method}, {percent:g}%'


def write_recipe(
    path: Path,
    stages: Mapping[str, Any],
    tables: Iterable[Mapping[str, Any]],
    seeds: Iterable[int],
    command: str,
) -> Path:
    """Write a recipe.

    Args:
        path (Path): file.
        stages (Mapping[str, Any]): stages by name.
        tables (Iterable[Mapping[str, Any]]): tables.
        seeds (Iterable[int]): seeds.
        command (str): command that writes it, for a comment.

    Returns:
        Path: ``path``.
    """
    parts = dict(seeds=tuple(seeds), stages=dict(stages), tables=[dict(t) for t in tables])
    lines = [f'# Written by: {command}']
    lines += [
        f'{key} = {pprint.pformat(value, width=98, sort_dicts=False)}'
        for key, value in parts.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, ('\n'.join(lines) + '\n').encode())
    return path


def find_proposals(method: MethodChoice, data: FitData, out: Path) -> None:
    """Find the object proposals that a method needs, unless they are there.

    Args:
        method (MethodChoice): method.
        data (FitData): data.
        out (Path): folder of the proposals, a folder for each kind.

    Raises:
        ImportError: OpenCV is without its contributed modules.
        RuntimeError: The search failed.
    """
    if not method.proposals:
        return
    if not hasattr(cv2, 'ximgproc'):
        raise ImportError(
            'This method needs object proposals, which OpenCV finds with its contributed modules: '
            'pip install --no-deps opencv-contrib-python, of the version of opencv-python'
        )
    folder = out / method.proposals
    if (folder / 'names.npy').is_file():
        return
    out.mkdir(parents=True, exist_ok=True)
    photos = data.unlabelled or data.train_images
    arguments = [str(photos), '--method', method.proposals, '--out', str(folder)]
    if data.unlabelled is None:
        arguments += ['--ann-file', str(data.train)]
    tool = tools_folder() / 'dataset_converters' / 'make_proposals.py'
    command = [sys.executable, '-u', str(tool), *arguments]
    run_logged(command, out / f'{method.proposals}.log', Launch().environment(), lambda news: None)


def use_device(device: str) -> None:
    """Let the trainings that this program starts use a device.

    Args:
        device (str): 'cpu' hides the GPUs; with 'cuda' they are as they were.
    """
    if device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''


def write_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Write what a command was given, for later looks."""
    replace_file(path, json.dumps(dict(settings), indent=2, default=str).encode())
