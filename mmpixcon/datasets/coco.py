"""COCO data sets that say what is wrong with them."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO

from mmpixcon.limits import check_annotation_size
from mmpixcon.registry import DATASETS

from .unreadable import SkipUnreadable


@DATASETS.register_module()
class RobustCocoDataset(SkipUnreadable, CocoDataset):
    """COCO data set that checks its files and classes and survives bad images.

    Args:
        *args: As ``CocoDataset``.
        allow_class_subset (bool): Whether ``metainfo.classes`` may leave out
            categories of the annotation file, whose objects are then dropped.
            Defaults to False.
        **kwargs: As ``CocoDataset``, and ``max_bad_share`` of
            :class:`SkipUnreadable`, the share of unreadable images to skip.
    """

    def __init__(self, *args: Any, allow_class_subset: bool = False, **kwargs: Any) -> None:
        self.allow_class_subset = allow_class_subset
        super().__init__(*args, **kwargs)

    def COCOAPI(self, path: str) -> COCO:
        """Open an annotation file and compare its categories with the classes.

        Args:
            path (str): COCO file.

        Returns:
            COCO: The annotations.

        Raises:
            ValueError: The classes do not match, or the file is too large to be read.
        """
        check_annotation_size(path)
        coco = COCO(path)
        check_classes(
            self.metainfo['classes'],
            [category['name'] for category in coco.dataset['categories']],
            self.ann_file,
            self.allow_class_subset,
        )
        return coco


def check_classes(
    classes: Sequence[str], categories: Sequence[str], ann_file: str, allow_subset: bool
) -> None:
    """Compare the classes of a config with the categories of an annotation file.

    mmdet drops objects of other categories and numbers the rest in the order
    of the file, so a mismatch trains on nothing, or under wrong names.

    Args:
        classes (Sequence[str]): ``metainfo.classes``.
        categories (Sequence[str]): Names in the order of the file.
        ann_file (str): For the message.
        allow_subset (bool): Whether categories may be left out.

    Raises:
        ValueError: Both sides are named, and what to write instead.
    """
    absent = [name for name in classes if name not in categories]
    unused = [name for name in categories if name not in classes]
    remedy = f'Set metainfo=dict(classes={tuple(categories)!r}) in the data sets of the config.'
    if absent or (unused and not allow_subset):
        raise ValueError(
            f'The classes of the config do not match the categories of {osp.abspath(ann_file)}.\n'
            f'  classes that the file does not have: {_listed(absent)}\n'
            f'  categories that are not in the classes: {_listed(unused)}\n'
            f'{remedy} To train on some of the categories on purpose, set '
            'allow_class_subset=True.'
        )
    order = [name for name in categories if name in classes]
    if list(classes) != order:
        raise ValueError(
            f'The classes of the config are in another order than the categories of '
            f'{osp.abspath(ann_file)}, so objects would get wrong names.\n'
            f'Set metainfo=dict(classes={tuple(order)!r}).'
        )


def _listed(names: Sequence[str], limit: int = 20) -> str:
    """Write names in one line."""
    text = ', '.join(repr(name) for name in names[:limit])
    return (text + (f', ... ({len(names)} in all)' if len(names) > limit else '')) or 'none'
