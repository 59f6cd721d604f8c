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
        key (str): key of their meta information.
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
        to_raw (Tensor): (N, 3, 3) float64, from view to raw image, pixels. On the CPU, where
            a look at the values makes no device wait.
        map_shape (tuple[int, int]): (h, w), cells of the feature map.
        input_shape (tuple[int, int]): (H, W), pixels that the map covers.
        img_shapes (Tensor): (N, 2) float64, (H, W) of the pixels that hold image; the
            rest is padding at the right and the bottom. On the CPU.
        device (torch.device): device that the feature maps are on.
    """

    to_raw: Tensor
    map_shape: tuple[int, int]
    input_shape: tuple[int, int]
    img_shapes: Tensor
    device: torch.device

    @classmethod
    def from_homographies(
        cls,
        homographies: np.ndarray,
        map_shape: tuple[int, int],
        input_shape: tuple[int, int],
        img_shapes: np.ndarray | None = None,
        device: torch.device | str = 'cpu',
    ) -> ViewBatch:
        """Make it of homographies from raw image to view, (N, 3, 3); no padding if not given.

        Raises:
            ValueError: One is not an invertible 3 x 3 matrix.
        """
        matrices = torch.from_numpy(np.asarray(homographies, dtype=np.float64))
        check_homographies(matrices)
        if img_shapes is None:
            img_shapes = np.broadcast_to(input_shape, (len(matrices), 2))
        return cls(
            torch.linalg.inv(matrices),
            (map_shape[0], map_shape[1]),
            (input_shape[0], input_shape[1]),
            torch.from_numpy(np.array(img_shapes, dtype=np.float64)),
            torch.device(device),
        )

    def cell_diagonal(self) -> Tensor:
        """Diagonal of a cell of the feature map, at the view's corner, raw pixels, (N, ), CPU."""
        (h, w), (height, width) = self.map_shape, self.input_shape
        ends = torch.tensor([[0, 0], [width / w, height / h]], dtype=self.to_raw.dtype)
        first, second = transform_points(ends, self.to_raw).unbind(1)
        return torch.linalg.vector_norm(second - first, dim=1)

    def upsampling(self, resolution: int, dtype: torch.dtype) -> Tensor:
        """Bilinear upsampling to ``resolution`` ** 2 cells as a matrix, (cells, h * w).

        Its rows are the weights with which a cell reads the map, so that a few
        cells can be read without the rest.
        """
        return _upsampling(self.map_shape, resolution, dtype, self.device)


def raw_centres(views: Sequence[ViewBatch], resolution: int) -> Tensor:
    """Centres of the ``resolution`` ** 2 cells that a view is divided into, in the raw image.

    Args:
        views (Sequence[ViewBatch]): V views of the same N images.
        resolution (int): Cells a side.

    Returns:
        Tensor: (V, N, cells, 2), raw-image pixels, row by row. NaN on padding, which no
        comparison takes for a place.
    """
    device, count = views[0].device, len(views[0].to_raw)
    # (W, H, 1) / resolution of each view: its pixels from cells, and nothing from a 1.
    sizes = torch.tensor(
        [[*view.input_shape[::-1], resolution] for view in views], dtype=torch.float64
    )
    scales = sizes / resolution
    matrices = torch.stack([view.to_raw for view in views]) * scales[:, None, None]
    cells = _cell_centres(resolution, device)
    # One product for all coordinates of all views.
    mapped = matrices.flatten(0, 2).to(device, non_blocking=True) @ cells
    mapped = mapped.view(len(views), count, 3, -1)
    centres = mapped[:, :, :2] / mapped[:, :, 2:]
    limits = torch.stack([view.img_shapes.flip(1) for view in views]) / scales[:, None, :2]
    if bool((limits < resolution).any()):
        on_image = (cells[:2] < limits.to(device, non_blocking=True)[..., None]).all(2)
        centres.masked_fill_(~on_image[:, :, None], torch.nan)
    return centres.mT


@lru_cache(maxsize=8)
def _cell_centres(resolution: int, device: torch.device) -> Tensor:
    """(x, y, 1) of the centers of cells of side 1, (3, cells): the same for all batches."""
    # Training may use what an evaluation in inference mode asked for first.
    with torch.inference_mode(False):
        xy = cell_centres((resolution, resolution), (resolution, resolution))
        return torch.cat([xy.T, torch.ones(1, len(xy), dtype=xy.dtype)]).to(device)


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

    A region is a box, or where there are label maps, what carries its label. All on the CPU.

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
    def from_samples(cls, samples: Sequence[BaseDataElement]) -> RegionBatch:
        """Make it of what the region transforms left in the meta information.

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
        return cls(torch.from_numpy(boxes.astype(np.float64)), labels, torch.from_numpy(sizes))

    @property
    def exist(self) -> Tensor:
        """Return whether there is a region, (N, R) bool."""
        return (self.boxes[..., 2:] > self.boxes[..., :2]).all(2)

    def members(self, points: Tensor) -> Tensor:
        """Tell which points lie in which region.

        Boxes contain their left and upper edges, so those of a grid share no point.

        Args:
            points (Tensor): (..., N, n, 2) in raw-image pixels, on any device.

        Returns:
            Tensor: (..., N, R, n) bool.
        """
        if self.labels is not None:
            regions = torch.arange(1, self.boxes.shape[1] + 1, device=points.device)
            return self._label(points)[..., None, :] == regions[:, None]
        # (N, x and y, R, 1), beside points as (..., N, x and y, 1, n).
        corners = self.boxes.to(points.device, non_blocking=True).mT[..., None]
        places = points.mT[..., None, :]
        inside = (places >= corners[:, :2]) & (places < corners[:, 2:])
        return inside.select(-3, 0) & inside.select(-3, 1)

    def _label(self, points: Tensor) -> Tensor:
        """Labels at points, (..., N, n) long, 0 outside of the image."""
        assert self.labels is not None
        side = self.labels.shape[1]
        sizes = self.sizes.to(points.device, non_blocking=True)
        labels = self.labels.flatten(1).to(points.device, non_blocking=True)
        cell = (points / sizes[:, None] * side).floor()
        inside = ((cell >= 0) & (cell < side)).all(-1)
        column, row = cell.masked_fill(~inside[..., None], 0).long().unbind(-1)
        labels = labels.expand(*points.shape[:-2], -1)
        return labels.gather(-1, row * side + column).long() * inside
