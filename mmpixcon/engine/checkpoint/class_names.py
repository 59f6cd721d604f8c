"""Classes that a checkpoint was trained on, beside those that it is tested on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log

_SHOWN = 5


def check_class_names(
    trained: Mapping[str, Any] | None, tested: Mapping[str, Any] | None, path: str
) -> None:
    """Compare the classes of a checkpoint with those of the data to test it on.

    A detector gives numbers of classes, so another order of the same names makes its AP that of
    other classes. Other names only give a warning: they may mean the same.

    Args:
        trained (Mapping[str, Any] | None): ``dataset_meta`` of the checkpoint, if it has any.
        tested (Mapping[str, Any] | None): ``metainfo`` of the data, if they have any.
        path (str): path of the checkpoint, for the message.

    Raises:
        ValueError: The names are the same, in another order.
    """
    names = [list(map(str, (meta or {}).get('classes') or ())) for meta in (trained, tested)]
    if not all(names) or names[0] == names[1]:
        return
    shown = [', '.join(n[:_SHOWN]) + (', ...' if len(n) > _SHOWN else '') for n in names]
    key = 'test_dataloader.dataset.metainfo.classes'
    if sorted(names[0]) == sorted(names[1]):
        raise ValueError(
            f'{path} was trained on the classes {shown[0]}, in this order, and {key} has the order '
            f'{shown[1]}. A detector gives numbers of classes, so it would be tested on the wrong '
            f'ones. Give {key} the order of the checkpoint; annotations are read by name.'
        )
    print_log(
        f'{path} was trained on the classes {shown[0]}, and is tested on {shown[1]} ({key}). Class '
        'number n of the one is taken for number n of the other.',
        logger='current',
        level=logging.WARNING,
    )
