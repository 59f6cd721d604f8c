"""Any backbone of timm, under timm's own names."""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from mmengine.model import BaseModule, initialize
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmpixcon.registry import MODELS
from mmpixcon.utils.archives import no_archives

# What lets transformers take images of any size, where they have it. Padding to whole patches is
# set apart, since Swin transformers have it without an option for it.
ANY_SIZE = dict(dynamic_img_size=True, strict_img_size=False)


@MODELS.register_module()
class TIMMBackbone(BaseModule):
    """A backbone of `timm <https://huggingface.co/docs/timm>`_, with maps of several strides.

    Named, and called, as mmpretrain's ``TIMMBackbone``, with whose checkpoints it shares the
    names of weights: ``timm_model.`` and timm's own. All weights of timm's model but those of its
    classifier are there, so that they can go back to timm; those that no map depends on do not
    learn. Convolutional networks and Swin transformers give maps of several strides. A plain
    transformer gives maps of one stride, one for each block: its last one and
    :class:`~mmpixcon.models.necks.SimpleFPN` make a pyramid. Images may be of any size, where
    timm's model has ``dynamic_img_size`` or ``strict_img_size``, which then are set, and are
    padded to whole patches.

    Weights are loaded by ``init_weights``, as mmengine does, and only there: a model that is
    tested or resumed loads nothing before.

    Args:
        model_name (str): name in timm, also with a tag that says which weights are meant:
            'resnet18', 'resnet18.a1_in1k'.
        out_indices (Sequence[int]): which maps are returned, in ascending order, counted as timm
            counts them (``timm.create_model(NAME, features_only=True).feature_info``), negative
            ones from the end. For a ResNet 0 is the stem, and 1 to 4 the stages. Defaults to
            (-1,), the last one.
        frozen_stages (int): everything that the first so many maps are made of does not learn and
            stays in evaluation. For a ResNet 1 is the stem, for a plain transformer the embedding
            and a block. Defaults to 0, everything learns.
        norm_eval (bool): whether batch norm keeps its statistics in training. Defaults to False.
        norm (bool): whether the last norm of the model is applied to maps, where timm does: to
            every map of a plain transformer, as DINOv2 wants it, to the last one of others.
            Defaults to False.
        pretrained (bool): whether to start from the weights that timm has under this name, which
            it downloads. Defaults to False.
        checkpoint_path (str, optional): a file of timm's weights for this model, ``.safetensors``
            or ``.pth``, with or without a classifier, to start from. Embeddings of another image
            or patch size are resampled, as timm does. Defaults to None.
        init_cfg (dict, optional): initialization, such as ``dict(type='Pretrained',
            checkpoint=..., prefix='backbone.')`` for what was trained here. Defaults to None.
        **kwargs: arguments of timm's model: ``drop_path_rate``, ``img_size``, ``patch_size``,
            ``output_stride``, ...

    Attributes:
        out_channels (tuple[int, ...]): channels of the maps.
        strides (tuple[int, ...]): pixels a cell of the maps.

    Raises:
        ImportError: timm is not installed.
        ValueError: timm has no model of that name, or the model has no such maps or stages, or
            weights come from more than one place.

    Examples:
        >>> backbone = TIMMBackbone('test_resnet', out_indices=(2, 3, 4)).eval()
        >>> [tuple(level.shape) for level in backbone(torch.zeros(1, 3, 64, 96))]
        [(1, 48, 8, 12), (1, 192, 4, 6), (1, 96, 2, 3)]
        >>> backbone.out_channels, backbone.strides
        ((48, 192, 96), (8, 16, 32))
    """

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] = (-1,),
        frozen_stages: int = 0,
        norm_eval: bool = False,
        norm: bool = False,
        pretrained: bool = False,
        checkpoint_path: str | None = None,
        init_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(init_cfg)
        if sum([pretrained, checkpoint_path is not None, init_cfg is not None]) > 1:
            raise ValueError(
                'weights come from one place: set one of pretrained, checkpoint_path and init_cfg, '
                f'got {pretrained}, {checkpoint_path} and {init_cfg}'
            )
        _check_name(model_name)
        self.model_name = model_name
        self.settings = kwargs | dict(num_classes=0)
        self.timm_model = _timm().create_model(model_name, **self.settings)
        any_size = _accepted(ANY_SIZE, type(self.timm_model))
        if any_size:
            self.settings = any_size | self.settings
            self.timm_model = _timm().create_model(model_name, **self.settings)
        patches: Any = getattr(self.timm_model, 'patch_embed', None)
        if hasattr(patches, 'dynamic_img_pad'):
            patches.dynamic_img_pad = True
        self.norm = norm
        self.norm_eval = norm_eval
        self.pretrained = pretrained
        self.checkpoint_path = checkpoint_path

        stages = self.timm_model.feature_info
        stages = stages if isinstance(stages, list) else stages.info
        self.out_indices = _ascending(out_indices, len(stages), model_name)
        if not 0 <= frozen_stages <= len(stages):
            raise ValueError(
                f'frozen_stages must be 0 to {len(stages)} for {model_name}, got {frozen_stages}'
            )
        returned = [stages[index] for index in self.out_indices]
        width = 'num_chs_norm' if norm else 'num_chs'
        self.out_channels = tuple(stage.get(width, stage['num_chs']) for stage in returned)
        self.strides = tuple(stage['reduction'] for stage in returned)
        self._freeze(frozen_stages, whole=frozen_stages == len(stages))

    def _freeze(self, frozen_stages: int, whole: bool) -> None:
        """Let only what maps depend on learn, without the first stages."""
        learning = self._part(self.out_indices[-1], with_norm=self.norm)
        frozen = self._part(frozen_stages - 1, with_norm=whole) if frozen_stages else nn.Module()
        learns = {name for name, _ in learning.named_parameters()}
        learns -= {name for name, _ in frozen.named_parameters()}
        # Earlier releases of timm keep the norm before a classifier.
        heads = tuple(f'{layer.split(".")[0]}.' for layer in _classifier(self.timm_model))
        for name, parameter in self.timm_model.named_parameters():
            parameter.requires_grad_(not whole and name in learns and not name.startswith(heads))
        # Modules with something that still learns stay in training.
        kinds = {name: type(module) for name, module in frozen.named_modules() if name}
        inside = [name for name, m in self.timm_model.named_modules() if kinds.get(name) is type(m)]
        outside = {n for n, _ in self.timm_model.named_modules()} - {*inside}
        self._still = [n for n in inside if not any(o.startswith(f'{n}.') for o in outside)]

    def _part(self, index: int, with_norm: bool) -> nn.Module:
        """Give what a map and those before it are made of, with the same weights."""
        tensors = [*self.timm_model.parameters(), *self.timm_model.buffers()]
        # Modules are copied, tensors are not.
        part = copy.deepcopy(self.timm_model, {id(tensor): tensor for tensor in tensors})
        part.prune_intermediate_layers([index], prune_norm=not with_norm)
        return part

    def init_weights(self) -> None:
        """Load the weights that the backbone starts from.

        Raises:
            FileNotFoundError: ``checkpoint_path`` is no file.
            ValueError: The file does not have all weights of the model.
        """
        # Not BaseModule's: it would call the init_weights of timm's modules, which start anew.
        if self.init_cfg:
            initialize(self, self.init_cfg)
        elif self.pretrained:
            self._load(_timm().create_model(self.model_name, pretrained=True, **self.settings))
        elif self.checkpoint_path is not None:
            self._load_file(Path(self.checkpoint_path))
        self.is_init = True

    def _load(self, model: nn.Module) -> None:
        self.timm_model.load_state_dict(model.state_dict())

    def _load_file(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f'checkpoint_path={str(path)!r} does not exist')
        timm = _timm()
        with no_archives():
            tensors = timm.models.load_state_dict(str(path), weights_only=True)
        own = self.timm_model.state_dict()
        missing = own.keys() - tensors.keys()
        if missing:
            raise ValueError(
                f'{path} does not have all weights of {self.model_name} in timm: {len(missing)} of '
                f'{len(own)} are missing, such as {min(missing)}; it has '
                f'{", ".join(sorted(tensors)[:3])}, ...'
            )
        fitting = all(tensors[name].shape == weight.shape for name, weight in own.items())
        classifier = {
            f'{layer}.{part}'
            for layer in _classifier(self.timm_model)
            for part in ('weight', 'bias')
        }
        if fitting and tensors.keys() - own.keys() <= classifier:
            self.timm_model.load_state_dict({name: tensors[name] for name in own})
        else:
            # timm resamples what depends on sizes, and knows which other tensors to leave out.
            overlay = dict(state_dict=tensors)
            settings = dict(self.settings, pretrained=True, pretrained_cfg_overlay=overlay)
            self._load(timm.create_model(self.model_name, **settings))

    @property
    def pixel_statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and deviation of pixels, RGB, 0 to 255, that timm's weights know; None without."""
        if not self.pretrained and self.checkpoint_path is None:
            return None
        cfg = self.timm_model.pretrained_cfg
        mean, std = (tuple(255 * value for value in cfg[key]) for key in ('mean', 'std'))
        return mean, std

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps.

        Args:
            images (Tensor): (N, 3, H, W), of any H and W if timm's model takes them.

        Returns:
            tuple[Tensor, ...]: (N, ``out_channels[i]``, h, w), with about H / ``strides[i]``
            rows, rounded up or down as timm's model does.
        """
        return tuple(
            self.timm_model.forward_intermediates(
                images,
                indices=list(self.out_indices),
                norm=self.norm,
                stop_early=True,
                output_fmt='NCHW',
                intermediates_only=True,
            )
        )

    def train(self, mode: bool = True) -> TIMMBackbone:
        """Switch between training and evaluation; frozen stages stay in evaluation.

        Args:
            mode (bool): whether to train. Defaults to True.

        Returns:
            TIMMBackbone: the backbone.
        """
        super().train(mode)
        for name in self._still:
            self.timm_model.get_submodule(name).eval()
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self


def _timm() -> ModuleType:
    """timm, an extra.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import timm
    except ModuleNotFoundError as error:
        raise ImportError("TIMMBackbone needs timm: pip install 'mmpixcon[timm]'") from error
    return timm


def _check_name(model_name: str) -> None:
    """Refuse a name that timm does not know, and say which ones are close to it."""
    timm = _timm()
    if timm.is_model(model_name):
        return
    known = timm.list_models()
    close = difflib.get_close_matches(model_name.split('.')[0], known, n=5)
    raise ValueError(
        f'timm {timm.__version__} has no model {model_name!r}'
        + (f'; close to it are {", ".join(close)}' if close else f'; it has {len(known)} models')
    )


def _accepted(options: dict[str, Any], kind: type[nn.Module]) -> dict[str, Any]:
    """Options that a class of models takes, also by way of those that it is made from."""
    names = {name for one in kind.__mro__ for name in inspect.signature(one).parameters}
    return {name: value for name, value in options.items() if name in names}


def _classifier(model: Any) -> tuple[str, ...]:
    """Names of the layers of a classifier."""
    layers = model.pretrained_cfg.get('classifier') or ()
    return (layers,) if isinstance(layers, str) else tuple(layers)


def _ascending(indices: Sequence[int], number: int, model_name: str) -> tuple[int, ...]:
    """Indices of maps, counted from the start.

    Raises:
        ValueError: There is no such map, or they are not in ascending order.
    """
    counted = tuple(index + number if index < 0 else index for index in indices)
    if not counted or not all(0 <= index < number for index in counted):
        raise ValueError(
            f'out_indices={tuple(indices)}: {model_name} has {number} maps, 0 to {number - 1}'
        )
    if list(counted) != sorted(set(counted)):
        raise ValueError(f'out_indices={tuple(indices)} must be in ascending order')
    return counted
