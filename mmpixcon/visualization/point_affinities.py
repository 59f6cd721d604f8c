"""Affinity maps of points that someone clicks, of several checkpoints at once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mmcv
import numpy as np
from torch import Tensor

from mmpixcon.apis.backbones import LoadedBackbone, read_photo
from mmpixcon.visualization.feature_maps import affinity_map, color_affinity, mark_point


@dataclass(frozen=True)
class Photo:
    """A photo and what each checkpoint makes of it.

    Attributes:
        picture (np.ndarray): BGR, uint8, (H, W, 3), to be shown: ``size`` the longer side.
        shape (tuple[int, int]): (H, W) of the file, turned as its EXIF says.
        features (dict[str, Tensor]): (C, h, w) of each checkpoint.
    """

    picture: np.ndarray
    shape: tuple[int, int]
    features: dict[str, Tensor]


@dataclass(frozen=True)
class PointAffinities:
    """The answer to a click.

    Attributes:
        marked (np.ndarray): The photo with the point, BGR, uint8, (H, W, 3).
        pictures (dict[str, np.ndarray]): The map of each checkpoint, BGR, uint8, (H, W, 3).
        captions (dict[str, str]): name and range of each checkpoint.
    """

    marked: np.ndarray
    pictures: dict[str, np.ndarray]
    captions: dict[str, str]


class PhotoAffinities:
    """Answers clicks into photos; backbones run once a photo, not once a click.

    Args:
        backbones (Mapping[str, LoadedBackbone]): backbones by name.
        size (int): Pixels a side of the square that the backbones see. Defaults to 896.
        cells (int): cells of the map, a side. Defaults to 56.
        level (int): index of the backbones' map. Defaults to -1, the last.
        kept (int): Photos whose features are kept, those used last. Defaults to 8.
    """

    def __init__(
        self,
        backbones: Mapping[str, LoadedBackbone],
        size: int = 896,
        cells: int = 56,
        level: int = -1,
        kept: int = 8,
    ) -> None:
        self.backbones = dict(backbones)
        self.size = size
        self.cells = cells
        self.level = level
        self.kept = kept
        self._photos: OrderedDict[str, Photo] = OrderedDict()

    def photo(self, path: str | Path) -> Photo:
        """A photo with its features.

        Args:
            path (str | Path): Image file. A copy under another name costs nothing.

        Returns:
            Photo: From the cache where the same bytes were seen before.

        Raises:
            ValueError: It cannot be read as an image.
        """
        key = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        if key not in self._photos:
            self._photos[key] = self._read(path)
        self._photos.move_to_end(key)
        while len(self._photos) > self.kept:
            self._photos.popitem(last=False)
        return self._photos[key]

    def _read(self, path: str | Path) -> Photo:
        picture = read_photo(path)
        shape = picture.shape[:2]
        square = mmcv.imresize(picture, (self.size, self.size), interpolation='area')
        picture = mmcv.imrescale(picture, (self.size, self.size), interpolation='area')
        features = {
            name: backbone.maps(square[None])[self.level][0]
            for name, backbone in self.backbones.items()
        }
        return Photo(picture, shape, features)

    def at(self, path: str | Path, pixel: tuple[int, int]) -> PointAffinities:
        """The maps of one pixel of a photo.

        Args:
            path (str | Path): Image file.
            pixel (tuple[int, int]): Column and row in the file; those outside
                count as the nearest one inside.

        Returns:
            PointAffinities: The marked photo and a map of each checkpoint.

        Raises:
            ValueError: The file cannot be read as an image.
        """
        photo = self.photo(path)
        point = pixel_share(pixel, photo.shape)
        pictures, captions = {}, {}
        for name, feature in photo.features.items():
            affinity = affinity_map(feature, point, self.cells)
            pictures[name] = color_affinity(affinity, photo.picture.shape[:2])
            captions[name] = f'{name}: {affinity.min():.3f} to {affinity.max():.3f}'
        return PointAffinities(mark_point(photo.picture, point), pictures, captions)


def pixel_share(pixel: tuple[int, int], shape: tuple[int, int]) -> tuple[float, float]:
    """Compute where the center of a pixel lies, as shares of width and height.

    Args:
        pixel (tuple[int, int]): Column and row.
        shape (tuple[int, int]): (H, W).

    Returns:
        tuple[float, float]: x and y, 0 to 1.
    """
    height, width = shape
    column = min(max(pixel[0], 0), width - 1)
    row = min(max(pixel[1], 0), height - 1)
    return (column + 0.5) / width, (row + 0.5) / height
