"""Converting a checkpoint: found out what it is, renamed, written, reported."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmpixcon.engine.checkpoint.load_report import LoadReport, compare_state_dicts, count_table
from mmpixcon.registry import MODELS
from mmpixcon.utils.files import replace_file

from .backbones import (
    TIMM,
    TIMM_PREFIX,
    Backbone,
    identify,
    resnet_to_detectron2,
    swin_to_timm,
)
from .detr import VARIANTS, keep_coco_rows, write_official
from .files import check_output, read_checkpoint, report_path, write_checkpoint
from .layouts import BODY, SOURCES, find_source
from .weights import Weights, first_names

_TORCH = ('.pth', '.pt', '.safetensors')
# In the text of a checkpoint's config: where bottlenecks have their stride, and a name in timm.
CAFFE = "style='caffe'"
_TIMM_NAME = re.compile(r"\bmodel_name='([^']+)'")


@dataclass(frozen=True)
class Target:
    """A layout that is written.

    Attributes:
        reader (str): project that reads it, and how.
        frame (dict, optional): The file around the tensors, see :func:`write_checkpoint`.
        backbone_only (bool): Whether it has a bare backbone rather than a detector.
        suffixes (tuple[str, ...]): What files may end with.
    """

    reader: str
    frame: dict | None = None
    backbone_only: bool = True
    suffixes: tuple[str, ...] = _TORCH


TARGETS = {
    'mmdet': Target(
        "mmdet: load_from, or init_cfg=dict(type='Pretrained', prefix='backbone.')",
        dict(state_dict=None, meta={}),
        backbone_only=False,
    ),
    'mmdet-backbone': Target(
        "mmdet: init_cfg=dict(type='Pretrained') without a prefix", dict(state_dict=None, meta={})
    ),
    'torchvision': Target('torchvision, ResNets'),
    'timm': Target('timm'),
    'detectron2': Target(
        'detectron2, ResNets',
        dict(model=None, __author__='mmpixcon', matching_heuristics=True),
        suffixes=(*_TORCH, '.pkl'),
    ),
    'detr': Target("DETR's release", dict(model=None), backbone_only=False),
    'conditional-detr': Target("Conditional DETR's release", dict(model=None), backbone_only=False),
    'deformable-detr': Target("Deformable DETR's release", dict(model=None), backbone_only=False),
}


@dataclass(frozen=True)
class Conversion:
    """Outcome of a conversion.

    Attributes:
        checkpoint (str): file that was read.
        source (str): layout of that file.
        backbone (str): backbone in it.
        target (str): The layout that was written.
        out (str): The file that was written.
        weights (Weights): What became of each tensor.
        fit (LoadReport, optional): What of it the model of a config takes.
    """

    checkpoint: str
    source: str
    backbone: str
    target: str
    out: str
    weights: Weights
    fit: LoadReport | None = None

    def table(self) -> str:
        """Format what became of the tensors: by module, then why some are left out."""
        reasons = self._by_reason()
        converted = [origin for origin in self.weights.origins.values() if origin]
        left_out = list(self.weights.left_out)
        lines = [
            f'{self.checkpoint}: {self.source}, {self.backbone} -> {self.out}: {self.target}',
            count_table({'converted': converted, 'left out': left_out}),
        ]
        lines += [f'left out, {reason}: {first_names(names)}' for reason, names in reasons.items()]
        lines += [f'note: {note}' for note in self.weights.notes]
        if self.fit is not None:
            lines += ['what the model of the config takes:', self.fit.table()]
        return '\n'.join(lines)

    def as_dict(self) -> dict:
        """dict: The same with every name, for JSON."""
        fit = {} if self.fit is None else dict(config=self.fit.as_dict())
        return dict(
            checkpoint=self.checkpoint,
            source=self.source,
            backbone=self.backbone,
            target=self.target,
            out=self.out,
            converted=self.weights.origins,
            left_out=self._by_reason(),
            notes=self.weights.notes,
            **fit,
        )

    def _by_reason(self) -> dict[str, list[str]]:
        reasons: dict[str, list[str]] = {}
        for name, reason in self.weights.left_out.items():
            reasons.setdefault(reason, []).append(name)
        return reasons


def convert(
    checkpoint: str | Path,
    target: str,
    out: str | Path,
    source: str | None = None,
    backbone: str | None = None,
    momentum: bool = False,
    coco_classes: bool = False,
    config: str | Path | None = None,
    trust: bool = False,
    overwrite: bool = False,
) -> Conversion:
    """Convert a checkpoint, and write a report beside it, ``OUT.json``.

    Args:
        checkpoint (str | Path): The file to be read.
        target (str): A key of ``TARGETS``.
        out (str | Path): The file to be written; its suffix says how.
        source (str, optional): A key of ``SOURCES``. Defaults to None, found by its names.
        backbone (str, optional): What backbone it must have. Defaults to None, any.
        momentum (bool): Whether to take the momentum encoder's backbone. Defaults to False.
        coco_classes (bool): Whether to keep the 80 categories of COCO's 91 ids.
        config (str | Path, optional): config of a model of mmdet that will start from it, to
            say what it takes.
        trust (bool): Whether code in the checkpoint may run. Defaults to False.
        overwrite (bool): Whether ``out`` may exist. Defaults to False.

    Returns:
        Conversion: What was done.

    Raises:
        FileNotFoundError, FileExistsError: A file is missing, or in the way.
        ValueError: The checkpoint is in another layout, of another backbone, or cannot be had
            in the target's layout.
    """
    written = TARGETS[target]
    check_output(out, written.suffixes, overwrite)
    if config is not None:
        if target != 'mmdet':
            raise ValueError(
                f'--config says what mmdet takes; it goes with --to mmdet, not {target}'
            )
        if not Path(config).is_file():
            raise FileNotFoundError(f'--config {config} does not exist')
    if momentum and not written.backbone_only:
        raise ValueError(f'--momentum takes a bare backbone, and --to {target} has a detector')
    tensors, text = read_checkpoint(checkpoint, trust)
    weights = Weights(tensors)
    layout = find_source(weights, str(checkpoint), source)
    try:
        SOURCES[layout].read(weights, written.backbone_only, momentum)
        body = identify(
            {name[len(BODY) :]: v for name, v in weights.tensors.items() if name.startswith(BODY)}
        )
        if backbone not in (None, body.name):
            raise ValueError(f'its backbone is {body.name}, not {backbone} as --backbone says')
        if coco_classes:
            keep_coco_rows(weights)
        if written.backbone_only:
            weights.rename(lambda name: name[len(BODY) :])
            _WRITERS[target](weights, body, text)
        elif target in VARIANTS:
            write_official(weights, target)
    except ValueError as error:
        raise ValueError(f'{checkpoint}, {layout}, to {target}: {error}') from error
    fit = _compare(config, weights) if config is not None else None
    write_checkpoint(out, weights.tensors, written.frame)
    done = Conversion(str(checkpoint), layout, body.name, target, str(out), weights, fit)
    replace_file(report_path(out), (json.dumps(done.as_dict(), indent=1) + '\n').encode())
    return done


def _compare(config: str | Path, weights: Weights) -> LoadReport:
    """Tell what of the weights the model of a config takes."""
    cfg = Config.fromfile(config)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = MODELS.build(cfg.model)
    return compare_state_dicts(
        model.state_dict(), weights.tensors, getattr(model, 'expected_missing_prefixes', ())
    )


def _write_as_is(weights: Weights, body: Backbone, text: str) -> None:
    """A bare backbone of mmdet."""


def _write_torchvision(weights: Weights, body: Backbone, text: str) -> None:
    if not body.is_resnet:
        raise ValueError(f'torchvision builds {body.name} of other layers; give --to timm')
    _refuse_other_resnets(body, text)


def _write_timm(weights: Weights, body: Backbone, text: str) -> None:
    if body.is_resnet:
        _refuse_other_resnets(body, text)
        return
    if body.name == TIMM:
        weights.rename(lambda name: name.removeprefix(TIMM_PREFIX))
        found = _TIMM_NAME.search(text)
        weights.notes.append(
            f'timm.create_model({found[1] if found else "NAME"!r}, num_classes=0, '
            'checkpoint_path=...) loads it, with other settings as the backbone of the config has '
            'them'
        )
        return
    swin_to_timm(weights)
    weights.notes.append(
        'timm shifts no windows where a stage is one window, and shifts before it pads: the same '
        'features as of mmdet for sides that are a multiple of 32 windows, from 448 on '
        '(create_model(..., img_size=448))'
    )


def _refuse_other_resnets(body: Backbone, text: str) -> None:
    """Refuse what torchvision and timm do not build."""
    if body.config['base_channels'] != 64:
        raise ValueError(f'{body.name}: torchvision and timm have the width 64 only')
    if CAFFE in text and body.bottleneck:
        raise ValueError(
            "its config has style='caffe', the stride in the first 1 x 1 convolution of a block: "
            'torchvision and timm have it in the 3 x 3 one; give --to detectron2 or mmdet-backbone'
        )


def _write_detectron2(weights: Weights, body: Backbone, text: str) -> None:
    if not body.is_resnet:
        raise ValueError(f'detectron2 has no {body.name}; give --to timm')
    resnet_to_detectron2(weights)
    width = body.config['base_channels']
    settings = dict(
        DEPTH=body.config['depth'],
        STEM_OUT_CHANNELS=width,
        RES2_OUT_CHANNELS=width * (4 if body.bottleneck else 1),
        STRIDE_IN_1X1=CAFFE in text,
    )
    weights.notes.append(
        'detectron2, MODEL.RESNETS: '
        + ', '.join(f'{key} {value}' for key, value in settings.items())
        + ". Its own MSRA models have STRIDE_IN_1X1 True and BGR images; give those of this one's "
        'config, here INPUT.FORMAT RGB, MODEL.PIXEL_MEAN [123.675,116.28,103.53], '
        'MODEL.PIXEL_STD [58.395,57.12,57.375]'
    )


_WRITERS: dict[str, Callable[[Weights, Backbone, str], None]] = {
    'mmdet-backbone': _write_as_is,
    'torchvision': _write_torchvision,
    'timm': _write_timm,
    'detectron2': _write_detectron2,
}
