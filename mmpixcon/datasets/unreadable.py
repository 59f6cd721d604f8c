"""Data sets with files that are missing and images that cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from mmengine.fileio import exists
from mmengine.logging import print_log

from mmpixcon.datasets.data_files import MISSING_DATA_REMEDY
from mmpixcon.utils.images import read_image


class UnreadableImageError(RuntimeError):
    """An image file that cannot be read or decoded."""


class SkipUnreadable:
    """Lets a data set of mmengine survive unreadable images; stands before it as a base.

    In training an unreadable image is skipped: another sample is drawn, the
    file is named once, and training goes on until more than ``max_bad_share``
    of the images were unreadable. In testing it is an error. Failures of the
    pipeline on a readable image are always errors. Each process counts by
    itself; the workers of one data loader count together.

    Args:
        *args: Of the data set.
        max_bad_share (float): Share of the images, 0 to 1, that may be
            unreadable in training. One image always may, unless there is no
            other. Defaults to 0.01.
        **kwargs: Of the data set.
    """

    # The data set's, which comes after this class among the bases.
    ann_file: str
    data_root: str
    data_prefix: dict[str, str]
    backend_args: dict | None
    test_mode: bool
    _fully_initialized: bool
    get_data_info: Callable[[int], dict[str, Any]]
    __len__: Callable[[], int]

    def __init__(self, *args: Any, max_bad_share: float = 0.01, **kwargs: Any) -> None:
        self.max_bad_share = max_bad_share
        self._bad: Any = None
        super().__init__(*args, **kwargs)

    @property
    def listed_in(self) -> str:
        """Name the place where the images are listed, for messages."""
        return self.ann_file

    def full_init(self) -> None:
        """Load the list of images.

        Raises:
            FileNotFoundError: The annotation file or the image folder is missing.
        """
        if not self._fully_initialized:
            self._check_files()
        super().full_init()  # type: ignore[misc]
        if self._bad is None:
            # One flag for each image, in memory that workers share.
            self._bad = torch.zeros(len(self), dtype=torch.uint8).share_memory_()

    def _check_files(self) -> None:
        """Check that the annotation file and the image folder are there."""
        paths = {'ann_file': self.ann_file}
        paths.update({f'data_prefix.{name}': path for name, path in self.data_prefix.items()})
        for key, path in paths.items():
            if path and not exists(path, self.backend_args):
                raise FileNotFoundError(
                    f'{path} does not exist. It is given by {key} and data_root '
                    f'({self.data_root!r}) of this data set (for example '
                    f'train_dataloader.dataset.{key}). {MISSING_DATA_REMEDY}'
                )

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
            return super().prepare_data(idx)  # type: ignore[misc]
        except Exception as error:
            path = self.get_data_info(idx)['img_path']
            _, reason = read_image(path, self.backend_args)
            if reason is None:
                raise
            message = f'cannot read image {path} ({reason})'
            if self.test_mode:
                raise UnreadableImageError(
                    f'{message}, which is listed in {self.listed_in}. Restore the file, or take '
                    'the image out of the annotations.'
                ) from error
            self._note_bad(idx, message)
            return None

    def _note_bad(self, idx: int, message: str) -> None:
        """Count an unreadable image; complain beyond the allowed share."""
        new = not self._bad[idx]
        self._bad[idx] = 1
        bad = int(self._bad.sum())
        allowed = min(max(1, int(self.max_bad_share * len(self))), len(self) - 1)
        if bad > allowed:
            paths = [self.get_data_info(int(i))['img_path'] for i in self._bad.nonzero()[:5, 0]]
            raise UnreadableImageError(
                f'{bad} of {len(self)} images of {self.listed_in} cannot be read, more than the '
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


class CountedWarning:
    """Logs a warning the 1st, 10th, 100th, ... time, of all workers of a loader."""

    def __init__(self) -> None:
        # In memory that workers share.
        self._count = torch.zeros(1, dtype=torch.long).share_memory_()

    @property
    def count(self) -> int:
        """int: How often it happened."""
        return int(self._count)

    def __call__(self, message: str) -> None:
        """Count, and maybe log.

        Args:
            message (str): What happened, without a full stop.
        """
        self._count += 1
        if str(self.count).rstrip('0') == '1':
            print_log(
                f'{message}; {self.count} times so far.', logger='current', level=logging.WARNING
            )
