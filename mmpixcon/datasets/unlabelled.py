"""Images without labels, from a folder, a list or COCO annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.fileio import exists, get_text, join_path, list_dir_or_file, load

from mmpixcon.limits import check_annotation_size
from mmpixcon.registry import DATASETS

from .unreadable import SkipUnreadable

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm')
# A list whose first files are all missing is taken for one with another folder.
LOOKED_UP = 10


@DATASETS.register_module()
class UnlabelledDataset(SkipUnreadable, BaseDataset):
    """Images to pretrain on; labels are not read.

    Where they are listed depends on ``ann_file``: without one, in the image
    folder and the folders below it, in the order of their sorted paths; with a
    ``.json``, in the ``images`` of COCO annotations; with any other file, in its
    lines, one path each. Paths are relative to the image folder.

    Each sample has ``img_path``, besides what ``BaseDataset`` adds.

    Args:
        ann_file (str): List or COCO annotations, relative to ``data_root``.
            Defaults to '', every image in the folder.
        data_root (str): Defaults to ''.
        data_prefix (dict): One entry with the image folder, relative to
            ``data_root``. Defaults to ``dict(img_path='')``.
        suffixes (Sequence[str]): Endings of the images in a folder, in either
            case. Defaults to those of JPEG, PNG, BMP, WebP, TIFF and PNM.
        backend_args (dict, optional): arguments of mmengine's file backend, where the
            images are not on this machine.
        **kwargs: As ``BaseDataset`` (``pipeline``, ``indices``, ...), and
            ``max_bad_share`` of :class:`SkipUnreadable`, the share of unreadable
            images to skip.

    Raises:
        FileNotFoundError: A file, the folder or the first images listed are missing.
        ValueError: There are no images, or the annotations are not COCO's.

    Examples:
        >>> dict(type='mmpixcon.UnlabelledDataset', data_root='data/coco/',
        ...      data_prefix=dict(img_path='unlabeled2017/'), pipeline=train_pipeline)
        >>> dict(type='mmpixcon.UnlabelledDataset', data_root='data/coco/',
        ...      ann_file='annotations/instances_train2017.json',
        ...      data_prefix=dict(img_path='train2017/'), pipeline=train_pipeline)
    """

    def __init__(
        self,
        ann_file: str = '',
        data_root: str = '',
        data_prefix: dict | None = None,
        suffixes: Sequence[str] = SUFFIXES,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        data_prefix = dict(img_path='') if data_prefix is None else dict(data_prefix)
        if len(data_prefix) != 1:
            raise ValueError(
                'UnlabelledDataset: data_prefix must have one entry, the image folder, such as '
                f"dict(img_path='images/'), got {data_prefix}"
            )
        self.suffixes = tuple(suffix.lower() for suffix in suffixes)
        self.backend_args = backend_args
        super().__init__(ann_file=ann_file, data_root=data_root, data_prefix=data_prefix, **kwargs)

    @property
    def folder(self) -> str:
        """The image folder."""
        (folder,) = self.data_prefix.values()
        return folder

    @property
    def listed_in(self) -> str:
        """Name the place where the images are listed, for messages."""
        return self.ann_file or self.folder

    def load_data_list(self) -> list[dict]:
        """List the images.

        Returns:
            list[dict]: ``img_path`` of each.
        """
        if not self.ann_file:
            names = self._names_in_folder()
        elif self.ann_file.lower().endswith('.json'):
            names = self._names_in_coco()
        else:
            lines = get_text(self.ann_file, backend_args=self.backend_args).splitlines()
            names = [line.strip() for line in lines if line.strip()]
        if not names:
            searched = '' if self.ann_file else f' with the endings {", ".join(self.suffixes)}'
            raise ValueError(
                f'{self.listed_in} lists no images{searched}. It is given by ann_file, data_prefix '
                f'and data_root ({self.data_root!r}) of this data set (for example '
                'train_dataloader.dataset.data_root).'
            )
        paths = [self._full(name) for name in names]
        if not any(exists(path, self.backend_args) for path in paths[:LOOKED_UP]):
            raise FileNotFoundError(
                f'{paths[0]} does not exist, nor do the next of the images that {self.ann_file} '
                f'lists. Their folder is given by data_prefix and data_root ({self.data_root!r}) '
                'of this data set; a list has one path per line, without labels.'
            )
        return [dict(img_path=path) for path in paths]

    def _full(self, name: str) -> str:
        return join_path(self.folder, name) if self.folder else name

    def _names_in_folder(self) -> list[str]:
        """Sorted paths below the image folder."""
        if not self.folder:
            raise ValueError(
                'UnlabelledDataset: nothing says where the images are. Set data_root, data_prefix '
                'or ann_file (for example train_dataloader.dataset.data_root).'
            )
        files = list_dir_or_file(
            self.folder, list_dir=False, recursive=True, backend_args=self.backend_args
        )
        return sorted(name for name in files if name.lower().endswith(self.suffixes))

    def _names_in_coco(self) -> list[str]:
        """File names in COCO annotations, in the order of the file."""
        if '://' not in self.ann_file:
            check_annotation_size(self.ann_file)
        content = load(self.ann_file, backend_args=self.backend_args)
        images = content.get('images') if isinstance(content, dict) else None
        if not isinstance(images, list) or not all('file_name' in image for image in images):
            raise ValueError(
                f'{self.ann_file}: expected COCO annotations, with images that have a file_name. '
                'A list of paths must not end in .json.'
            )
        return [image['file_name'] for image in images]
