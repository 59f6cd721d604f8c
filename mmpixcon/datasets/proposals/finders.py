"""Finders of object proposals: Edge Boxes, Selective Search, random boxes.

Finders give boxes (k, 4) float32: x1, y1, x2, y2 in pixels of the raw image, outer edges,
the best first.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

# Boxes of an image where nothing else is asked for: as Siamese DETR, DETReg and (as many as
# DETReg) the random ones.
MAX_BOXES = {'edge_boxes': 512, 'selective_search': 30, 'random': 30}
INSTALL = 'pip install --no-deps -r requirements/proposals.txt'

# Blur before the gradient, in pixels: gradients answer to noise, a trained forest does not.
_SIGMA = 2.0
# The least unit of gradients, of which a step from black to white has 0.2 after the blur: an
# even image has no edges.
_LEAST_EDGE = 0.005
# Gradients below it are rounding, which OpenCV 5's blur leaves in an even image (6e-9); those of
# a step of one gray level are 8e-4.
_ROUNDING = 1e-6
_LEAST_SIDE = 8
# Of an image that a structured forest can be asked about, whose patches have 32 pixels.
_LEAST_FOREST_SIDE = 16

Finder = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class ProposalSettings:
    """Settings that the boxes of an image depend on.

    Args:
        method (str): 'edge_boxes', 'selective_search' or 'random'.
        max_boxes (int, optional): Boxes of an image at most. Defaults to None:
            512, 30 or 30, by method.
        model (str, optional): for Edge Boxes, the structured forest that finds
            edges, OpenCV's ``model.yml.gz``. Defaults to None, edges are gradients.
        min_area (float): for Edge Boxes, the least area in square pixels. Defaults to 1000.
        side (int): for Selective Search, the side in pixels of the square that the
            image is resized to; 0 leaves it as it is. Defaults to 128, as DETReg.
        seed (int): seed of Selective Search, which ranks at random, and of random
            boxes. Defaults to 0.

    Raises:
        ValueError: A value cannot be used.
        FileNotFoundError: There is no such model.
        ModuleNotFoundError: OpenCV lacks the module that finds.
    """

    method: str
    max_boxes: int | None = None
    model: str | None = None
    min_area: float = 1000.0
    side: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in MAX_BOXES:
            raise ValueError(f'method {self.method!r} is not one of {", ".join(MAX_BOXES)}')
        if self.max_boxes is None:
            object.__setattr__(self, 'max_boxes', MAX_BOXES[self.method])
        for name, ok, rule in (
            ('max_boxes', (self.max_boxes or 0) >= 1, 'at least 1'),
            ('min_area', self.min_area > 0, 'above 0'),
            ('side', self.side == 0 or self.side >= _LEAST_SIDE, f'0 or at least {_LEAST_SIDE}'),
            ('seed', 0 <= self.seed < 2**31, 'from 0 to 2 ** 31 - 1'),
        ):
            if not ok:
                raise ValueError(f'{name} is {getattr(self, name)}, but must be {rule}')
        if self.model is not None and self.method != 'edge_boxes':
            raise ValueError(f'model is given, but {self.method} needs none: only edge_boxes does')
        if self.model is not None and not Path(self.model).is_file():
            raise FileNotFoundError(f'{self.model} does not exist: give a structured forest')
        if self.method != 'random' and not hasattr(cv2, 'ximgproc'):
            raise ModuleNotFoundError(
                f'{self.method} needs cv2.ximgproc, of opencv-contrib-python: {INSTALL}'
            )

    def record(self) -> dict[str, Any]:
        """Give what is written down: what matters to the method; the model by its content."""
        used = {
            'edge_boxes': ('method', 'max_boxes', 'model', 'min_area'),
            'selective_search': ('method', 'max_boxes', 'side', 'seed'),
            'random': ('method', 'max_boxes', 'seed'),
        }[self.method]
        record = {name: value for name, value in asdict(self).items() if name in used}
        if self.model is not None:
            record['model'] = hashlib.sha256(Path(self.model).read_bytes()).hexdigest()[:16]
        record['opencv'] = cv2.__version__
        return record

    def finder(self) -> Finder:
        """Make the finder.

        Returns:
            Finder: Takes an image, (h, w, 3) uint8 BGR, and a seed of its own, and
            gives its boxes, (k, 4) float32 with an area above 0 and inside the image.

        Raises:
            ValueError: The file of the model is not a structured forest.
        """
        find = {
            'edge_boxes': _edge_boxes,
            'selective_search': _selective_search,
            'random': _random,
        }[self.method](self)

        def clipped(image: np.ndarray, seed: int) -> np.ndarray:
            height, width = image.shape[:2]
            boxes = np.asarray(find(image, seed), np.float32).reshape(-1, 4)
            boxes = np.clip(boxes, 0, np.array([width, height] * 2, np.float32))
            has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
            return boxes[has_area][: self.max_boxes]

        return clipped


def gradient_edges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges for Edge Boxes without a trained forest.

    The gradient of the blurred image, in each pixel of the channel where it is
    largest, thinned across the edge; in units of the image's largest, so that Edge
    Boxes' thresholds fit pale images too.

    Args:
        image (np.ndarray): (h, w, 3) uint8.

    Returns:
        tuple[np.ndarray, np.ndarray]: Strength, (h, w) float32, 0 to 1, and
        direction across the edge, (h, w) float32, in radians, 0 to pi.
    """
    blurred = cv2.GaussianBlur(image.astype(np.float32) / 255, (0, 0), _SIGMA)
    # The scale makes it the difference of two pixels that are two apart.
    x, y = (cv2.Sobel(blurred, cv2.CV_32F, *order, scale=0.25) for order in ((1, 0), (0, 1)))
    squares = x * x + y * y
    channel = squares.argmax(2)[..., None]
    x, y, squares = (np.take_along_axis(v, channel, 2)[..., 0] for v in (x, y, squares))
    strength = np.sqrt(squares)
    strength[strength < _ROUNDING] = 0
    strength /= max(strength.max(), np.float32(_LEAST_EDGE))
    across = np.mod(np.arctan2(y, x), np.pi).astype(np.float32)
    rows, columns = np.indices(strength.shape, dtype=np.float32)
    thin = np.ones(strength.shape, bool)
    for step in (-1, 1):
        beside = cv2.remap(
            strength,
            columns + step * np.cos(across),
            rows + step * np.sin(across),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        thin &= strength >= beside
    return np.where(thin, strength, np.float32(0)), across


def _ximgproc() -> Any:
    """OpenCV's module of contrib, which not every OpenCV has."""
    return vars(cv2)['ximgproc']


def _edge_boxes(settings: ProposalSettings) -> Finder:
    """Edge Boxes of Zitnick and Dollár (ECCV 2014), as Siamese DETR calls OpenCV's."""
    forest = None if settings.model is None else _forest(settings.model)
    least = _LEAST_SIDE if forest is None else _LEAST_FOREST_SIDE

    def find(image: np.ndarray, _: int) -> np.ndarray:
        if min(image.shape[:2]) < least:
            return np.zeros((0, 4))
        if forest is not None:
            edges = forest.detectEdges(image[..., ::-1].astype(np.float32) / 255)
            across = forest.computeOrientation(edges)
            edges = forest.edgesNms(edges, across)
        else:
            edges, across = gradient_edges(image)
        # Made anew: what it finds depends on the images that it has seen.
        finder = _ximgproc().createEdgeBoxes()
        finder.setMaxBoxes(settings.max_boxes)
        finder.setMinBoxArea(settings.min_area)
        return _corners(finder.getBoundingBoxes(edges, across)[0])

    return find


def _forest(path: str) -> Any:
    """The structured forest in a file."""
    try:
        # Without these OpenCV loads an empty one, and dies at the first image.
        file = cv2.FileStorage(path, cv2.FILE_STORAGE_READ)
        if all(not file.getNode(name).empty() for name in ('options', 'childs', 'edgeBins')):
            return _ximgproc().createStructuredEdgeDetection(path)
    except (cv2.error, SystemError):
        pass
    raise ValueError(f"{path} is not a structured forest, such as OpenCV's model.yml.gz")


def _selective_search(settings: ProposalSettings) -> Finder:
    """Selective Search of Uijlings et al. (IJCV 2013), 'fast', as DETReg calls OpenCV's."""
    set_seed = _c_library().srand

    def find(image: np.ndarray, seed: int) -> np.ndarray:
        height, width = image.shape[:2]
        small = cv2.resize(image, (settings.side,) * 2) if settings.side else image
        # Made anew: it adds to its strategies with each image.
        finder = _ximgproc().segmentation.createSelectiveSearchSegmentation()
        finder.setBaseImage(small)
        finder.switchToSelectiveSearchFast()
        # It ranks with rand() of C.
        set_seed(seed)
        scale = np.array([width / small.shape[1], height / small.shape[0]] * 2)
        return _corners(finder.process()) * scale

    return find


def _random(settings: ProposalSettings) -> Finder:
    """Boxes as UP-DETR draws its patches: sides of 8 pixels to the image's less 8."""

    def find(image: np.ndarray, seed: int) -> np.ndarray:
        size = np.array(image.shape[1::-1])
        if size.min() <= 2 * _LEAST_SIDE:
            return np.zeros((0, 4))
        random = np.random.default_rng(seed)
        sides = random.integers(_LEAST_SIDE, size - _LEAST_SIDE + 1, (settings.max_boxes or 0, 2))
        corner = random.integers(0, size - sides + 1)
        return np.concatenate([corner, corner + sides], 1)

    return find


def _corners(rectangles: Any) -> np.ndarray:
    """x1, y1, x2, y2 from x, y, width, height; OpenCV gives a tuple where there are none."""
    boxes = np.array(rectangles, np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _c_library() -> Any:
    return ctypes.cdll.ucrtbase if sys.platform == 'win32' else ctypes.CDLL(None)
