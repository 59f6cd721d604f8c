"""A detector of which only chosen parts learn."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mmdet.structures import SampleList
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from .wrapper import DetectorWrapper

# What mmdet's heads call the layers that give class scores; the region proposal
# network's is not among them, since it does not know the classes. The class
# embedding of denoising queries is: of other classes, it would stay random.
CLASS_LAYERS = r'(^|\.)(cls_branches|reppoints_cls_out|label_embedding|(?!rpn_)[a-z]+_cls)(\.|$)'


def freeze(module: nn.Module, trainable: Sequence[str] = ()) -> tuple[str, ...]:
    """Let only the parameters learn whose name a pattern matches.

    Args:
        module (nn.Module): module whose ``requires_grad`` are set, to True as well.
        trainable (Sequence[str]): Regular expressions, searched for in names
            of parameters. Defaults to none: all are frozen.

    Returns:
        tuple[str]: Names of the parameters that learn.

    Raises:
        ValueError: A pattern matches no parameter.
    """
    names = [name for name, _ in module.named_parameters()]
    for pattern in trainable:
        if not any(re.search(pattern, name) for name in names):
            prefixes = sorted({'.'.join(name.split('.')[:2]) for name in names})
            raise ValueError(
                f'trainable: {pattern!r} matches no parameter of {type(module).__name__}; '
                f'it has {", ".join(prefixes)}'
            )
    learning = tuple(
        name for name in names if any(re.search(pattern, name) for pattern in trainable)
    )
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name in learning)
    return learning


def keep_frozen_in_eval(module: nn.Module) -> None:
    """Put every part without a learning parameter into evaluation mode.

    Batch norm's statistics and dropout then stay out of it.
    """
    for part in module.children():
        if any(parameter.requires_grad for parameter in part.parameters()):
            keep_frozen_in_eval(part)
        else:
            part.eval()


@MODELS.register_module()
class FrozenDetector(DetectorWrapper):
    """Any detector, frozen but for chosen parts: the linear probe.

    Frozen from the moment it is built, so that DistributedDataParallel does not
    wait for gradients that never come. Frozen parts stay in evaluation mode.
    Its checkpoints are the stock detector's; name the pretrained one by
    ``load_from``.

    Args:
        detector (dict): Config of any detector.
        trainable (Sequence[str], optional): Regular expressions searched for in
            names of parameters; what they match learns. Defaults to None, the
            layers that give class scores and the class embedding of denoising
            queries.
        init_cfg (dict, optional): Initialization. Defaults to None.

    Raises:
        ValueError: A pattern matches no parameter.
    """

    own_prefix = 'frozen.'
    multi_branch = False

    def __init__(
        self,
        detector: dict,
        trainable: Sequence[str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(detector, init_cfg)
        patterns = (CLASS_LAYERS,) if trainable is None else tuple(trainable)
        self.trainable = freeze(self.detector, patterns)

    def train(self, mode: bool = True) -> FrozenDetector:
        """Training mode for the parts that learn only."""
        super().train(mode)
        if mode:
            keep_frozen_in_eval(self.detector)
        return self

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """The detector's losses; see there."""
        return self.detector.loss(batch_inputs, batch_data_samples)
