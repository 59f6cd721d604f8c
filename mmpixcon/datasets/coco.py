"""COCO data sets that say what is wrong with them."""

from __future__ import annotations

import logging
import os.path as osp
from collections.abc import Sequence
from typing import Any

import mmcv
import torch
from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmengine.fileio import exists, get
from mmengine.logging import print_log

from mmpixcon.registry import DATASETS
from mmpixcon.utils.data_files import MISSING_DATA_REMEDY


class UnreadableImageError(RuntimeError):
    """An image file that cannot be read or decoded."""


@DATASETS.register_module()
class RobustCocoDataset(CocoDataset):
    """COCO data set that checks its files and classes and survives bad images.

    In training an unreadable image is skipped: another sample is drawn, the
    file is named once, and training goes on until more than ``max_bad_share``
    of the images were unreadable. In testing it is an error. Failures of the
    pipeline on a readable image are always errors. Each process counts by
    itself; the workers of one data loader count together.

    Args:
        *args: As ``CocoDataset``.
        allow_class_subset (bool): Whether ``metainfo.classes`` may leave out
            categories of the annotation file, whose objects are then dropped.
            Defaults to False.
        max_bad_share (float): Share of the images, 0 to 1, that may be
            unreadable in training. One image always may. Defaults to 0.01.
        **kwargs: As ``CocoDataset``.
    """

    def __init__(
        self,
        *args: Any,
        allow_class_subset: bool = False,
        max_bad_share: float = 0.01,
        **kwargs: Any,
    ) -> None:
        self.allow_class_subset = allow_class_subset
        self.max_bad_share = max_bad_share
        self._bad: torch.Tensor | None = None
        super().__init__(*args, **kwargs)

    def full_init(self) -> None:
        """Load the annotations.

        Raises:
            FileNotFoundError: The annotation file or the image folder is missing.
            ValueError: The classes do not match the annotation file.
        """
        super().full_init()
        if self._bad is None:
            # One flag for each image, in memory that workers share.
            self._bad = torch.zeros(len(self), dtype=torch.uint8).share_memory_()

    def load_data_list(self) -> list[dict]:
        """Load the annotations, after checking that the files are there."""
        folder = self.data_prefix.get('img', '')
        for path, key in ((self.ann_file, 'ann_file'), (folder, 'data_prefix.img')):
            if path and not exists(path, self.backend_args):
                raise FileNotFoundError(
                    f'{path} does not exist. It is given by {key} and data_root '
                    f'({self.data_root!r}) of this data set (for example '
                    f'train_dataloader.dataset.{key}). {MISSING_DATA_REMEDY}'
                )
        return super().load_data_list()

    def COCOAPI(self, path: str) -> COCO:
        """Open an annotation file and compare its categories with the classes.

        Args:
            path (str): Of the file.

        Returns:
            COCO: The annotations.

        Raises:
            ValueError: The classes do not match.
        """
        coco = COCO(path)
        check_classes(
            self.metainfo['classes'],
            [category['name'] for category in coco.dataset['categories']],
            self.ann_file,
            self.allow_class_subset,
        )
        return coco

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on one image.

        Args:
            idx (int): Index of the image.

        Returns:
            Any: What the pipeline returns, or None for an unreadable image in
            training: the caller then draws another one.

        Raises:
            UnreadableImageError: In testing, or beyond ``max_bad_share``.
        """
        try:
            return super().prepare_data(idx)
        except Exception as error:
            path = self.get_data_info(idx)['img_path']
            reason = self._why_unreadable(path)
            if reason is None:
                raise
            message = f'cannot read image {path} ({reason})'
            if self.test_mode:
                raise UnreadableImageError(
                    f'{message}, which is listed in {self.ann_file}. Restore the file, or take '
                    'the image out of the annotations.'
                ) from error
            self._note_bad(idx, message)
            return None

    def _why_unreadable(self, path: str) -> str | None:
        """Say why an image file cannot be decoded; None if it can."""
        try:
            content = get(path, self.backend_args)
        except Exception as error:
            return f'{type(error).__name__}: {error}'
        if not content:
            return 'the file is empty'
        try:
            image = mmcv.imfrombytes(content)
        except Exception as error:
            return f'{type(error).__name__}: {error}'
        return 'the content is no image' if image is None else None

    def _note_bad(self, idx: int, message: str) -> None:
        """Count an unreadable image; complain beyond the allowed share."""
        new = not self._bad[idx]
        self._bad[idx] = 1
        bad, allowed = int(self._bad.sum()), max(1, int(self.max_bad_share * len(self)))
        if bad > allowed:
            paths = [self.get_data_info(int(i))['img_path'] for i in self._bad.nonzero()[:5, 0]]
            raise UnreadableImageError(
                f'{bad} of {len(self)} images of {self.ann_file} cannot be read, more than the '
                f'{allowed} that max_bad_share = {self.max_bad_share:g} allows: '
                f'{", ".join(paths)}{", ..." if bad > 5 else ""}. Restore the files, or raise '
                'train_dataloader.dataset.max_bad_share.'
            )
        if new:
            print_log(
                f'Skipped: {message}; {bad} of {len(self)} images so far, {allowed} allowed.',
                logger='current',
                level=logging.WARNING,
            )


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
    shown = ', '.join(repr(name) for name in names[:limit])
    return (shown + (f', ... ({len(names)} in all)' if len(names) > limit else '')) or 'none'
