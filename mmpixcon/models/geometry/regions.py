"""Views and regions of a whole batch at once: which cell of a view lies in which region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor

from .correspondence import cell_centres, check_homographies, transform_points


def stack_meta(samples: Sequence[BaseDataElement], key: str, remedy: str) -> np.ndarray:
    """One meta entry of all samples.

    Args:
        samples (Sequence[BaseDataElement]): One for each image.
        key (str): Of their meta information.
        remedy (str): What to change where it is missing.

    Returns:
        np.ndarray: (N, ...).

    Raises:
        ValueError: A sample has no such entry, or they are of several shapes.
    """
    if not samples or any(key not in sample for sample in samples):
        raise ValueError(f'data_samples have no {key}: {remedy}')
    entries = [np.asarray(sample.get(key)) for sample in samples]
    if len({entry.shape for entry in entries}) > 1:
        shapes = sorted({entry.shape for entry in entries})
        raise ValueError(f'{key} has several shapes in a batch, {shapes}: {remedy}')
    return np.stack(entries)


@dataclass(frozen=True)
class ViewBatch:
    """The same view of each image of a batch.

    Attributes:
        to_raw (Tensor): (N, 3, 3) float64, from view to raw image, pixels.
        map_shape (tuple[int, int]): (h, w), cells of the feature map.
        input_shape (tuple[int, int]): (H, W), pixels that the map covers.
        img_shapes (Tensor): (N, 2), (H, W) of the pixels that hold image; the
            rest is padding at the right and the bottom.
    """

    to_raw: Tensor
    map_shape: tuple[int, int]
    input_shape: tuple[int, int]
    img_shapes: Tensor

    @classmethod
    def from_homographies(
        cls,
        homographies: np.ndarray,
        map_shape: tuple[int, int],
        input_shape: tuple[int, int],
        img_shapes: np.ndarray | None = None,
        device: torch.device | str = 'cpu',
    ) -> ViewBatch:
        """Of homographies from raw image to view, (N, 3, 3); no padding if not given.

        Raises:
            ValueError: One is not an invertible 3 x 3 matrix.
        """
        # On the CPU, where checking makes no device wait.
        matrices = torch.from_numpy(np.asarray(homographies, dtype=np.float64))
        check_homographies(matrices)
        if img_shapes is None:
            img_shapes = np.broadcast_to(input_shape, (len(matrices), 2))
        return cls(
            torch.linalg.inv(matrices).to(device, non_blocking=True),
            (map_shape[0], map_shape[1]),
            (input_shape[0], input_shape[1]),
            torch.from_numpy(np.array(img_shapes)).to(device, non_blocking=True),
        )

    def raw_centres(self, resolution: int) -> Tensor:
        """Centres of ``resolution`` ** 2 cells in raw-image pixels, (N, cells, 2).

        NaN on padding, which no comparison takes for a place.
        """
        centres = cell_centres((resolution, resolution), self.input_shape)
        centres = centres.to(self.to_raw.device, non_blocking=True)
        on_image = (centres < self.img_shapes[:, None].flip(2)).all(2, keepdim=True)
        return transform_points(centres, self.to_raw).masked_fill_(~on_image, torch.nan)

    def cell_diagonal(self) -> Tensor:
        """Diagonal of a cell of the feature map, at the view's corner, raw pixels, (N, )."""
        (h, w), (height, width) = self.map_shape, self.input_shape
        ends = torch.tensor([[0, 0], [width / w, height / h]], dtype=self.to_raw.dtype)
        ends = ends.to(self.to_raw.device, non_blocking=True)
        first, second = transform_points(ends, self.to_raw).unbind(1)
        return torch.linalg.vector_norm(second - first, dim=1)

    def upsampling(self, resolution: int, dtype: torch.dtype) -> Tensor:
        """Bilinear upsampling to ``resolution`` ** 2 cells as a matrix, (cells, h * w).

        Its rows are the weights with which a cell reads the map, so that a few
        cells can be read without the rest.
        """
        return _upsampling(self.map_shape, resolution, dtype, self.to_raw.device)


@lru_cache(maxsize=8)
def _upsampling(
    map_shape: tuple[int, int], resolution: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """See :meth:`ViewBatch.upsampling`: the same for all batches."""
    h, w = map_shape
    # Training may use what an evaluation in inference mode asked for first.
    with torch.inference_mode(False):
        eye = torch.eye(h * w, dtype=dtype, device=device).view(h * w, 1, h, w)
        rows = F.interpolate(eye, (resolution, resolution), mode='bilinear', align_corners=False)
        return rows.view(h * w, -1).T


@dataclass(frozen=True)
class RegionBatch:
    """Regions of the raw images of a batch; they may overlap.

    A region is a box, or where there are label maps, what carries its label.

    Attributes:
        boxes (Tensor): (N, R, 4) x1, y1, x2, y2 in raw-image pixels, outer edges;
            of no area where there is no region.
        labels (Tensor, optional): (N, S, S) over the whole raw image, cell by
            cell: r + 1 in region r, 0 in none.
        sizes (Tensor): (N, 2) width and height of the raw images in pixels.
    """

    boxes: Tensor
    labels: Tensor | None
    sizes: Tensor

    @classmethod
    def from_samples(
        cls, samples: Sequence[BaseDataElement], device: torch.device | str = 'cpu'
    ) -> RegionBatch:
        """Of what the region transforms left in the meta information.

        Raises:
            ValueError: There is nothing.
        """
        remedy = (
            'train_dataloader.dataset.pipeline needs a source of regions before PackViews, such as '
            "dict(type='mmpixcon.GridRegions', n=4), the same for all data sets"
        )
        boxes = stack_meta(samples, 'regions', remedy)
        sizes = stack_meta(samples, 'ori_shape', remedy)[:, 1::-1].astype(np.float64)
        labels = None
        if any('region_labels' in sample for sample in samples):
            labels = torch.from_numpy(stack_meta(samples, 'region_labels', remedy))
            labels = labels.to(device, non_blocking=True)
        return cls(
            torch.from_numpy(boxes.astype(np.float64)).to(device, non_blocking=True),
            labels,
            torch.from_numpy(sizes).to(device, non_blocking=True),
        )

    @property
    def exist(self) -> Tensor:
        """Whether there is a region, (N, R) bool."""
        return (self.boxes[..., 2:] > self.boxes[..., :2]).all(2)

    def members(self, points: Tensor) -> Tensor:
        """Which points lie in which region.

        Boxes contain their left and upper edges, so those of a grid share no point.

        Args:
            points (Tensor): (N, n, 2) in raw-image pixels.

        Returns:
            Tensor: (N, R, n) bool.
        """
        if self.labels is not None:
            regions = torch.arange(1, self.boxes.shape[1] + 1, device=points.device)
            return self._label(points)[:, None] == regions[:, None]
        x, y = points[:, None].unbind(3)
        x1, y1, x2, y2 = self.boxes[..., None, :].unbind(3)
        return (x >= x1) & (x < x2) & (y >= y1) & (y < y2)

    def _label(self, points: Tensor) -> Tensor:
        """Labels at points, (N, n) long, 0 outside of the image."""
        assert self.labels is not None
        side = self.labels.shape[1]
        cell = (points / self.sizes[:, None] * side).floor()
        inside = ((cell >= 0) & (cell < side)).all(2)
        column, row = cell.masked_fill(~inside[..., None], 0).long().unbind(2)
        return self.labels.flatten(1).gather(1, row * side + column).long() * inside
