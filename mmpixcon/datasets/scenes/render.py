"""The built-in scenes: images with boxes and masks that need no download.

A scene is drawn from (seed, index) alone, in integers, so it has the same
pixels on any machine, however many scenes are drawn and in whatever order.
What an object is follows from its outline only; color, texture, size and
rotation are drawn without regard to the class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from .shapes import MARKS, OUTLINES, STEPS, SUBPIXEL, Stamp, stamp
from .textures import background, contrasting_color, expose, paint

# Raised whenever the same config would give other pixels or annotations.
RENDERER_VERSION = 1

# Below this diameter in pixels the outlines cannot be told apart.
MIN_DIAMETER = 16
# Diameters in pixels between which an object is mostly of COCO's medium area.
MEDIUM_DIAMETERS = (48, 112)
MIN_SIDE, MAX_SIDE = 32, 2048
# 1/16-pixel coordinates of the largest object still fit in 32 bits squared.
MAX_SHARE = 1.5
_TRIES = 24
_MARKS = tuple(MARKS.values())


def _require(right: bool, field: str, value: Any, remedy: str) -> None:
    if not right:
        raise ValueError(f'SceneConfig.{field} is {value!r}: {remedy}')


def _as_tuple(value: Any, length: int, kind: type, field: str, remedy: str) -> tuple:
    values = tuple(value) if isinstance(value, (list, tuple)) else ()
    right = len(values) == length and all(
        isinstance(v, kind) and not isinstance(v, bool) for v in values
    )
    _require(right, field, value, remedy)
    return tuple(int(v) if kind is Integral else float(v) for v in values)


@dataclass(frozen=True)
class SceneConfig:
    """Settings of what the scenes look like.

    Attributes:
        size (tuple[int, int]): Width and height of an image in pixels.
        objects (tuple[int, int]): Fewest and most objects in a scene. A scene
            too full to place one more keeps fewer.
        size_range (tuple[float, float]): Smallest and largest diameter of an
            object (of the circle around it) as a share of the image's shorter
            side. None is below ``MIN_DIAMETER`` pixels.
        size_mix (tuple[float, float, float]): Weights of objects of about
            COCO's small (below 32 ** 2 pixels), medium and large (above
            96 ** 2) area. A weight counts as 0 where ``size_range`` leaves
            no such object.
        truncation (float): Chance that an object may reach over the border.
        overlap (float): Chance that an object may cover others where there is
            room beside them; where there is none it may.
        min_visible (float): Share of its outline that each object shows at
            least, counting what others and the image border hide.
        contrast (float): Mean difference of the color channels between an
            object and its surroundings to aim at; 1 is black on white.
        clutter (tuple[int, int]): Fewest and most marks that are no object.
            About a quarter of them lie in front of the objects.
        classes (tuple[str, ...]): Names of outlines, in label order: disc,
            square, triangle, star, ring, cross.
        seed (int): Other seeds give other scenes.

    Raises:
        ValueError: A field cannot be used; the message names it and a remedy.
    """

    size: tuple[int, int] = (160, 128)
    objects: tuple[int, int] = (1, 5)
    size_range: tuple[float, float] = (0.05, 1.2)
    size_mix: tuple[float, float, float] = (0.12, 0.7, 0.18)
    truncation: float = 0.2
    overlap: float = 0.3
    min_visible: float = 0.5
    contrast: float = 0.25
    clutter: tuple[int, int] = (0, 6)
    classes: tuple[str, ...] = ('disc', 'triangle', 'ring', 'cross')
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every field and make tuples of lists."""
        self._set(
            size=_as_tuple(self.size, 2, Integral, 'size', 'give (width, height) in pixels'),
            objects=_as_tuple(self.objects, 2, Integral, 'objects', 'give (fewest, most)'),
            size_range=_as_tuple(
                self.size_range, 2, Real, 'size_range', 'give (smallest, largest) as shares'
            ),
            size_mix=_as_tuple(
                self.size_mix, 3, Real, 'size_mix', 'give three weights (small, medium, large)'
            ),
            clutter=_as_tuple(self.clutter, 2, Integral, 'clutter', 'give (fewest, most)'),
        )
        _require(
            all(MIN_SIDE <= side <= MAX_SIDE for side in self.size),
            'size',
            self.size,
            f'give sides of {MIN_SIDE} to {MAX_SIDE} pixels',
        )
        for field in ('objects', 'clutter'):
            low, high = getattr(self, field)
            remedy = 'give (fewest, most) with 0 <= fewest <= most <= 100'
            _require(0 <= low <= high <= 100, field, (low, high), remedy)
        self._check_sizes()
        for field in ('truncation', 'overlap', 'min_visible', 'contrast'):
            value, low = getattr(self, field), 0.05 if field == 'min_visible' else 0.0
            right = isinstance(value, Real) and low <= float(value) <= 1
            _require(right, field, value, f'give a number from {low:g} to 1')
        self._check_classes()
        right = isinstance(self.seed, Integral) and self.seed >= 0
        _require(right, 'seed', self.seed, 'give a whole number of 0 or more')

    def _set(self, **values: tuple) -> None:
        for field, value in values.items():
            object.__setattr__(self, field, value)

    def _check_sizes(self) -> None:
        low, high = self.size_range
        remedy = f'give (smallest, largest) with 0 < smallest <= largest <= {MAX_SHARE:g}'
        _require(0 < low <= high <= MAX_SHARE, 'size_range', (low, high), remedy)
        _require(
            high * min(self.size) >= MIN_DIAMETER,
            'size_range',
            (low, high),
            f'the largest object would be below {MIN_DIAMETER} pixels; raise it or the image size',
        )
        right = all(weight >= 0 for weight in self.size_mix) and sum(self.size_mix) > 0
        _require(right, 'size_mix', self.size_mix, 'give weights of 0 or more, not all 0')
        _require(
            sum(weight for weight, _, _ in self.diameter_bands()) > 0,
            'size_mix',
            self.size_mix,
            'size_range leaves no object of a size with a weight; change either',
        )

    def _check_classes(self) -> None:
        known = f'choose from {", ".join(OUTLINES)}'
        _require(isinstance(self.classes, (list, tuple)), 'classes', self.classes, known)
        self._set(classes=tuple(self.classes))
        right = len(self.classes) > 0 and all(name in OUTLINES for name in self.classes)
        _require(right, 'classes', self.classes, known)
        right = len(set(self.classes)) == len(self.classes)
        _require(right, 'classes', self.classes, 'name each class once')

    @property
    def zoom(self) -> int:
        """Give the factor by which textures are coarser than in the smallest images."""
        return max(1, min(self.size) // 128)

    def diameter_bands(self) -> list[tuple[float, int, int]]:
        """Weights and diameters of small, medium and large objects.

        Returns:
            list[tuple[float, int, int]]: Weight, smallest and largest diameter
                in pixels of the bands that ``size_range`` reaches into.
        """
        side = min(self.size)
        low = max(MIN_DIAMETER, round(self.size_range[0] * side))
        high = max(low, round(self.size_range[1] * side))
        edges = (0, *MEDIUM_DIAMETERS, high)
        limits = zip(self.size_mix, edges[:-1], edges[1:])
        bands = [(weight, max(low, a), min(high, b)) for weight, a, b in limits]
        # A band of one width only counts where the whole range is that wide.
        return [band for band in bands if band[1] < band[2] or low == high == band[1] == band[2]]


PRESETS: dict[str, SceneConfig] = {
    'easy': SceneConfig(
        objects=(1, 3),
        size_range=(0.25, 1.2),
        size_mix=(0.0, 0.85, 0.15),
        truncation=0.05,
        overlap=0.1,
        min_visible=0.75,
        contrast=0.45,
        clutter=(0, 1),
    ),
    'default': SceneConfig(),
    'hard': SceneConfig(
        objects=(0, 9),
        size_mix=(0.4, 0.45, 0.15),
        truncation=0.4,
        overlap=0.8,
        min_visible=0.25,
        contrast=0.1,
        clutter=(4, 16),
    ),
}


@dataclass(frozen=True)
class Scene:
    """An image and what is seen in it; n objects, later ones lie in front.

    Attributes:
        image (np.ndarray): Uint8 (h, w, 3), BGR.
        boxes (np.ndarray): Float32 (n, 4), x1, y1, x2, y2 in pixels, exactly
            around the visible part; x2 and y2 are outer edges.
        labels (np.ndarray): Int64 (n, ), places in ``SceneConfig.classes``.
        masks (np.ndarray): Bool (n, h, w), the visible parts; no two overlap.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray


class _Drawing:
    """The canvas, and which object each of its pixels shows."""

    def __init__(self, canvas: np.ndarray, min_visible: float) -> None:
        self.canvas = canvas
        self.min_visible = min_visible
        # 0 is no object, k the k-th object drawn.
        self.owner = np.zeros(canvas.shape[:2], dtype=np.int32)
        self.visible = np.zeros(1, dtype=np.int64)
        self.needed = np.zeros(1, dtype=np.float64)

    def covers_too_much(self, stamped: Stamp) -> bool:
        """Return whether an object would show less than its least share under it."""
        return bool(np.any(self._left(stamped) < self.needed))

    def covers_any(self, stamped: Stamp) -> bool:
        """Return whether it would hide any pixel of an object."""
        return bool(self.owner[stamped.window][stamped.mask].any())

    def _left(self, stamped: Stamp) -> np.ndarray:
        hidden = np.bincount(self.owner[stamped.window][stamped.mask], minlength=len(self.visible))
        left = self.visible - hidden
        left[0] = 0
        return left

    def add(self, stamped: Stamp, texture: np.ndarray, is_object: bool) -> None:
        """Draw on top; ``texture`` is int32 (h, w, 3) of the stamp's patch."""
        self.visible = self._left(stamped)
        label = 0
        if is_object:
            label = len(self.visible)
            self.visible = np.append(self.visible, np.count_nonzero(stamped.mask))
            self.needed = np.append(self.needed, self.min_visible * stamped.full)
        self.owner[stamped.window][stamped.mask] = label
        self.canvas[stamped.window][stamped.mask] = texture[stamped.mask]


def _draw_object(rng: np.random.Generator, config: SceneConfig, name: str, on: _Drawing) -> bool:
    """Draw an object where it and the earlier ones stay visible, if possible."""
    bands = config.diameter_bands()
    edges = np.cumsum([weight for weight, _, _ in bands])
    beside = rng.random() >= config.overlap
    for attempt in range(_TRIES):
        # Not beyond the last band, whatever the sum is rounded to.
        band = int(np.searchsorted(edges[:-1], rng.random() * edges[-1], side='right'))
        low, high = bands[band][1:]
        # The smaller ones of a band are more common, as in photos.
        radius = int((low + (high - low) * rng.random() ** 2) * SUBPIXEL) // 2
        # What reaches over the border is anywhere; the rest where it fits.
        over = rng.random() < config.truncation
        places = [
            (0, side * SUBPIXEL - 1) if over else (radius, side * SUBPIXEL - 1 - radius)
            for side in config.size
        ]
        if any(first > last for first, last in places):
            places = [(min(p), max(p)) for p in places]
        x, y = (int(rng.integers(first, last + 1)) for first, last in places)
        narrow = int(rng.integers(256, 321))
        squeeze = (256, narrow) if rng.integers(2) else (narrow, 256)
        step = int(rng.integers(STEPS))
        stamped = stamp(
            lambda u, v, r=radius: OUTLINES[name](u, v, r),  # type: ignore[misc]
            config.size,
            (x, y),
            radius,
            step,
            squeeze,
        )
        visible = np.count_nonzero(stamped.mask)
        if (
            visible == 0
            or visible < config.min_visible * stamped.full
            or on.covers_too_much(stamped)
        ):
            continue
        if beside and attempt < _TRIES // 2 and on.covers_any(stamped):
            continue
        color = contrasting_color(rng, on.canvas[stamped.window], config.contrast)
        rows, columns = stamped.mask.shape
        on.add(stamped, paint(rng, rows, columns, config.zoom, color), is_object=True)
        return True
    return False


def _draw_mark(rng: np.random.Generator, config: SceneConfig, on: _Drawing) -> None:
    """Draw a mark, unless it would hide too much of an object."""
    width, height = config.size
    mark = _MARKS[int(rng.integers(len(_MARKS)))]
    side = min(width, height) * SUBPIXEL
    radius = int(rng.integers(side // 16, side // 3))
    stamped = stamp(
        lambda u, v: mark(u, v, radius, rng),
        config.size,
        (int(rng.integers(width * SUBPIXEL)), int(rng.integers(height * SUBPIXEL))),
        radius,
        int(rng.integers(STEPS)),
    )
    color = rng.integers(0, 256, 3).astype(np.int32)
    if not on.covers_too_much(stamped):
        rows, columns = stamped.mask.shape
        on.add(stamped, paint(rng, rows, columns, config.zoom, color), is_object=False)


def render_scene(config: SceneConfig, index: int) -> Scene:
    """Draw one scene.

    Args:
        config (SceneConfig): What scenes look like.
        index (int): number of the scene, 0 or more.

    Returns:
        Scene: The same for the same (config, index), always and everywhere.

    Raises:
        ValueError: ``index`` is negative.
    """
    if index < 0:
        raise ValueError(f'index is {index}: scenes are numbered from 0')
    entropy = np.random.SeedSequence((config.seed, index))
    rng = np.random.Generator(np.random.PCG64(entropy))
    width, height = config.size
    drawing = _Drawing(background(rng, height, width, config.zoom), config.min_visible)
    marks = int(rng.integers(config.clutter[0], config.clutter[1] + 1))
    in_front = int(rng.integers(0, marks // 2 + 1))
    for _ in range(marks - in_front):
        _draw_mark(rng, config, drawing)
    num_objects = int(rng.integers(config.objects[0], config.objects[1] + 1))
    labels = []
    for label in rng.integers(0, len(config.classes), num_objects):
        if _draw_object(rng, config, config.classes[label], drawing):
            labels.append(label)
    for _ in range(in_front):
        _draw_mark(rng, config, drawing)
    masks = drawing.owner == np.arange(1, len(labels) + 1)[:, None, None]
    return Scene(
        image=expose(rng, drawing.canvas),
        boxes=np.array([_box(mask) for mask in masks], dtype=np.float32).reshape(-1, 4),
        labels=np.array(labels, dtype=np.int64),
        masks=masks,
    )


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def preset(name: str, **changes: Any) -> SceneConfig:
    """A preset with some fields changed.

    Args:
        name (str): 'easy', 'default' or 'hard'.
        **changes (Any): Fields of :class:`SceneConfig` to replace.

    Returns:
        SceneConfig: The changed preset.

    Raises:
        ValueError: There is no such preset, or a changed field cannot be used.
    """
    if name not in PRESETS:
        raise ValueError(f'preset is {name!r}: choose from {", ".join(PRESETS)}')
    return replace(PRESETS[name], **changes)
