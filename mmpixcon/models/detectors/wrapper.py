"""A wrapper of a stock detector that keeps its keys (contract 2 of the architecture)."""

from __future__ import annotations

import copy
import re
from collections import OrderedDict
from typing import Any

from mmdet.models.detectors import BaseDetector
from mmdet.structures import OptSampleList, SampleList
from mmengine.config import ConfigDict
from torch import Tensor

from mmpixcon.registry import MODELS


class DetectorWrapper(BaseDetector):
    """A detector inside a method, with checkpoints that are the detector's.

    In ``state_dict()`` the entries of ``self.detector`` carry the names that
    they have in the stock detector; everything else stands under
    ``own_prefix``. Loading takes such a checkpoint, or one of the stock
    detector, of which it leaves the ``own_entries``. Outside training the wrapper is the detector.

    Args:
        detector (dict): Config of any mmdet detector. Its ``data_preprocessor``
            is used for every branch of the data, or for the data where the
            subclass has ``multi_branch = False``.
        init_cfg (dict, optional): Initialization. Defaults to None.
    """

    own_prefix = 'mmpixcon.'
    # Entries of the detector that stand under own_prefix too, since they are not the task's.
    own_entries: re.Pattern | None = None
    # Whether training data has several views (branches) of each image.
    multi_branch = True

    def __init__(self, detector: dict, init_cfg: dict | None = None) -> None:
        detector = with_diagnostics(ConfigDict(detector))
        preprocessor = detector.pop('data_preprocessor', None) or dict(type='DetDataPreprocessor')
        if self.multi_branch:
            preprocessor = dict(
                type='mmdet.MultiBranchDataPreprocessor', data_preprocessor=preprocessor
            )
        super().__init__(data_preprocessor=preprocessor, init_cfg=init_cfg)
        # mmdet's detectors write into the config that they are built from.
        self.detector_cfg: ConfigDict = copy.deepcopy(detector)
        self.detector = MODELS.build(detector)
        self._register_state_dict_hook(_to_stock_keys)
        self._register_load_state_dict_pre_hook(self._from_stock_keys)

    @property
    def expected_missing_prefixes(self) -> tuple[str, ...]:
        """Keys that a checkpoint may lack: the method fills them itself."""
        return (self.own_prefix,)

    def entries_for_stock(self, stock: dict[str, Tensor]) -> dict[str, Tensor]:
        """List what to load beside the entries of a checkpoint of the stock detector.

        Args:
            stock (dict): The checkpoint's entries, under the detector's names.

        Returns:
            dict: Names below this module, without ``own_prefix``.
        """
        return {}

    def _from_stock_keys(
        self, state_dict: dict[str, Any], prefix: str, *args: object, **kwargs: object
    ) -> None:
        entries, stock = {}, {}
        for key in [key for key in state_dict if key.startswith(prefix)]:
            name = key[len(prefix) :]
            if name.startswith(self.own_prefix):
                entries[name[len(self.own_prefix) :]] = state_dict.pop(key)
            else:
                value = state_dict.pop(key)
                if not self._is_own(name):
                    stock[name] = value
        if stock and not entries:
            entries = self.entries_for_stock(stock)
        state_dict.update({f'{prefix}detector.{name}': value for name, value in stock.items()})
        state_dict.update({f'{prefix}{name}': value for name, value in entries.items()})
        # Modules look their version up by name; without it they convert keys
        # as if the checkpoint were of an old release.
        metadata = getattr(state_dict, '_metadata', None)
        if metadata is not None:
            root = prefix[:-1]
            for name in list(metadata):
                if name == root or name.startswith(prefix):
                    below = name[len(prefix) :]
                    moved = f'{prefix}detector.{below}'.rstrip('.')
                    metadata.setdefault(moved, metadata[name])

    def _is_own(self, name: str) -> bool:
        """Return whether an entry of the detector stands under ``own_prefix``."""
        return self.own_entries is not None and self.own_entries.search(name) is not None

    def extract_feat(self, batch_inputs: Tensor) -> Any:
        """The detector's features of (N, 3, H, W) images."""
        return self.detector.extract_feat(batch_inputs)

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """The detector's predictions; see there."""
        return self.detector.predict(batch_inputs, batch_data_samples, rescale=rescale)

    def _forward(self, batch_inputs: Tensor, batch_data_samples: OptSampleList = None) -> Any:
        return self.detector._forward(batch_inputs, batch_data_samples)


def with_diagnostics(cfg: Any) -> Any:
    """Put parts that explain a failure in the place of stock ones that are silent.

    The Hungarian matching names a cost that is not finite, and a pretrained
    part reports what it loaded. Neither changes a result.

    Args:
        cfg (Any): Config of a detector; dicts and lists are walked.

    Returns:
        Any: A copy.
    """
    if isinstance(cfg, dict):
        new = type(cfg)({key: with_diagnostics(value) for key, value in cfg.items()})
        if new.get('type') in ('HungarianAssigner', 'mmdet.HungarianAssigner'):
            new['type'] = 'mmpixcon.FiniteHungarianAssigner'
        elif new.get('type') == 'Pretrained':
            # The name must stay: mmengine loads what is named so last.
            new['_scope_'] = 'mmpixcon'
        return new
    if isinstance(cfg, (list, tuple)):
        return type(cfg)(with_diagnostics(value) for value in cfg)
    return cfg


def _to_stock_keys(
    module: DetectorWrapper, state_dict: OrderedDict, prefix: str, local_metadata: dict
) -> None:
    """Rename entries after the children have written theirs."""
    inner = f'{prefix}detector.'
    for key in [key for key in state_dict if key.startswith(prefix)]:
        value = state_dict.pop(key)
        if key.startswith(inner) and not module._is_own(key[len(inner) :]):
            state_dict[prefix + key[len(inner) :]] = value
        else:
            state_dict[prefix + module.own_prefix + key[len(prefix) :]] = value
    metadata = getattr(state_dict, '_metadata', {})
    for name in list(metadata):
        if name == inner[:-1] or name.startswith(inner):
            metadata[(prefix + name[len(inner) :]).rstrip('.')] = metadata[name]
