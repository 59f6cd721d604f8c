"""Outlines of the built-in scenes: the classes and the marks that are no class.

Every outline is an inequality in integers, so that the same pixels are inside
on any machine; floating-point sines differ between C libraries in the last
bit. Lengths are in 1/16 pixel, angles in steps of half a degree, and sines
and cosines are multiplied by 4096.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SUBPIXEL = 16
STEPS = 720
_SHIFT = 12

# No entry lies near a half, so rounding gives the same table on any machine.
COS: tuple[int, ...] = tuple(
    round((1 << _SHIFT) * math.cos(2 * math.pi * step / STEPS)) for step in range(STEPS)
)
SIN: tuple[int, ...] = tuple(COS[(step - STEPS // 4) % STEPS] for step in range(STEPS))

Outline = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
Mark = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], np.ndarray]


def rotate(x: np.ndarray, y: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along the direction ``step`` and across it.

    Args:
        x (np.ndarray): Integer abscissas, any shape that broadcasts with y.
        y (np.ndarray): Integer ordinates.
        step (int): Direction in half degrees.

    Returns:
        tuple: Two integer arrays in the unit of x and y.
    """
    cos, sin = COS[step % STEPS], SIN[step % STEPS]
    return (x * cos + y * sin) >> _SHIFT, (y * cos - x * sin) >> _SHIFT


def _disc(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    return u * u + v * v <= r * r


def _ring(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    squared = u * u + v * v
    hole = r * 9 // 16
    return (squared <= r * r) & (squared >= hole * hole)


def _square(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    half = r * COS[STEPS // 8] >> _SHIFT
    return np.maximum(np.abs(u), np.abs(v)) <= half


def _triangle(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    inside = u >= -(r // 2)
    for step in (STEPS // 6, -STEPS // 6):
        inside = inside & (rotate(u, v, step)[0] <= r // 2)
    return inside


def _star(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    # Five kites, each from the center to a tip; the corners between two tips
    # lie at half the radius.
    tenth = STEPS // 10
    sin, cos = SIN[tenth], COS[tenth]
    inside = np.zeros(np.broadcast(u, v).shape, dtype=bool)
    for step in range(0, STEPS, 2 * tenth):
        along, across = rotate(u, v, step)
        across = np.abs(across)
        # Rounded coordinates would leave holes between exact kites.
        kite = across * cos <= along * sin + (2 << _SHIFT)
        kite &= along * sin + across * ((2 << _SHIFT) - cos) <= r * sin
        inside |= kite
    return inside


def _cross(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    # The corners of the arms lie on the circle: 0.31 ** 2 + 0.95 ** 2 = 1.
    thin, long = r * 5 // 16, r * 15 // 16
    u, v = np.abs(u), np.abs(v)
    return ((u <= long) & (v <= thin)) | ((u <= thin) & (v <= long))


# Each fits in the circle of radius r around the origin.
OUTLINES: dict[str, Outline] = {
    'disc': _disc,
    'square': _square,
    'triangle': _triangle,
    'star': _star,
    'ring': _ring,
    'cross': _cross,
}


def _half_stroke(r: int, rng: np.random.Generator) -> int:
    return int(rng.integers(SUBPIXEL // 2, SUBPIXEL + max(r // 16, SUBPIXEL)))


def _line(u: np.ndarray, v: np.ndarray, r: int, rng: np.random.Generator) -> np.ndarray:
    return (np.abs(u) <= r) & (np.abs(v) <= _half_stroke(r, rng))


def _arc(u: np.ndarray, v: np.ndarray, r: int, rng: np.random.Generator) -> np.ndarray:
    # At most half a turn: a closed thin circle would pass for a ring.
    inner = max(r - 2 * _half_stroke(r, rng), 0)
    squared = u * u + v * v
    return (squared <= r * r) & (squared >= inner * inner) & (u >= r * int(rng.integers(8)) // 8)


def _zigzag(u: np.ndarray, v: np.ndarray, r: int, rng: np.random.Generator) -> np.ndarray:
    period = max(r * int(rng.integers(4, 9)) // 8, 4)
    wave = np.abs(u % period - period // 2) - period // 4
    return (np.abs(u) <= r) & (np.abs(v - wave) <= _half_stroke(r, rng))


def _blob(u: np.ndarray, v: np.ndarray, r: int, rng: np.random.Generator) -> np.ndarray:
    # A long ellipse bent by two waves: lopsided, unlike any class.
    cos = np.array(COS, dtype=np.int32)
    first, second = (int(phase) for phase in rng.integers(0, STEPS, 2))
    bend = r * int(rng.integers(4, 8)) // 24
    across = v + (bend * cos[(u * STEPS // (r + 1) + first) % STEPS] >> _SHIFT)
    along = u + (bend * cos[(v * STEPS // (r + 1) + second) % STEPS] >> _SHIFT)
    # In 1/8 pixel, for the squares to fit in 32 bits.
    half, along, across = r // 3, along >> 1, across >> 1
    return along * along + 6 * (across * across) <= half * half


MARKS: dict[str, Mark] = {'line': _line, 'arc': _arc, 'zigzag': _zigzag, 'blob': _blob}


@dataclass(frozen=True)
class Stamp:
    """An outline at its place in the image.

    Attributes:
        x (int): Column of the patch's left edge, inside the image.
        y (int): Row of the patch's upper edge, inside the image.
        mask (np.ndarray): Bool (h, w), the part of the outline in the image.
        full (int): Pixels of the outline, those outside the image included.
    """

    x: int
    y: int
    mask: np.ndarray
    full: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the patch in the image."""
        h, w = self.mask.shape
        return slice(self.y, self.y + h), slice(self.x, self.x + w)


def stamp(
    inside: Callable[[np.ndarray, np.ndarray], np.ndarray],
    size: tuple[int, int],
    centre: tuple[int, int],
    radius: int,
    step: int,
    squeeze: tuple[int, int] = (256, 256),
) -> Stamp:
    """Draw a turned outline and cut it at the image border.

    Args:
        inside (Callable): Says of (u, v) in 1/16 pixel what is inside.
        size (tuple[int, int]): Width and height of the image in pixels.
        centre (tuple[int, int]): Center (x, y) in 1/16 pixel, in the image.
        radius (int): Radius in 1/16 pixel of a circle that holds the outline.
        step (int): Rotation in half degrees.
        squeeze (tuple[int, int]): Factors times 256, at least 256, by which
            the outline is made narrower along its own two axes.

    Returns:
        Stamp: The outline; its mask may be empty if it is thinner than a pixel.
    """
    width, height = size
    reach = radius // SUBPIXEL + 1
    left, top = (c // SUBPIXEL - reach for c in centre)
    span = np.arange(2 * reach + 1, dtype=np.int32) * SUBPIXEL + SUBPIXEL // 2
    x = span[None, :] + (left * SUBPIXEL - centre[0])
    y = span[:, None] + (top * SUBPIXEL - centre[1])
    u, v = rotate(x, y, step)
    mask = inside(u * squeeze[0] >> 8, v * squeeze[1] >> 8)
    x0, y0 = max(left, 0), max(top, 0)
    cut = mask[y0 - top : max(height - top, 0), x0 - left : max(width - left, 0)]
    return Stamp(x=x0, y=y0, mask=cut, full=int(np.count_nonzero(mask)))
