"""Textures, colors and the camera of the built-in scenes, all in integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .shapes import STEPS, rotate

# From the source of chance, height, width and zoom, how much of the second
# color each pixel has. Patterns are zoom times as coarse as in small images.
Texture = Callable[[np.random.Generator, int, int, int], np.ndarray]


def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(width, dtype=np.int32)[None, :], np.arange(height, dtype=np.int32)[:, None]


def _turned(
    rng: np.random.Generator, height: int, width: int, zoom: int
) -> tuple[np.ndarray, np.ndarray]:
    x, y = _grid(height, width)
    return rotate(x * 16 // zoom, y * 16 // zoom, int(rng.integers(STEPS)))


def _gradient(rng: np.random.Generator, height: int, width: int, zoom: int) -> np.ndarray:
    along = _turned(rng, height, width, zoom)[0]
    along = along - along.min()
    return along * 255 // max(int(along.max()), 1)


def _stripes(rng: np.random.Generator, height: int, width: int, zoom: int) -> np.ndarray:
    along = _turned(rng, height, width, zoom)[0]
    phase = (along * int(rng.integers(24, 64)) >> 6) + int(rng.integers(256)) & 255
    if rng.integers(2):
        return np.where(phase < 128, 0, 255)
    return np.abs(phase - 128) * 2 - (phase == 0)


def _checks(rng: np.random.Generator, height: int, width: int, zoom: int) -> np.ndarray:
    along, across = _turned(rng, height, width, zoom)
    pitch = int(rng.integers(4, 13)) * 16
    return ((along // pitch + across // pitch) & 1) * 255


def _dots(rng: np.random.Generator, height: int, width: int, zoom: int) -> np.ndarray:
    along, across = _turned(rng, height, width, zoom)
    pitch = int(rng.integers(6, 14)) * 16
    along, across = along % pitch - pitch // 2, across % pitch - pitch // 2
    radius = pitch * int(rng.integers(4, 7)) // 16
    return np.where(along * along + across * across <= radius * radius, 255, 0)


def _lattice(rng: np.random.Generator, height: int, width: int, cell: int) -> np.ndarray:
    # Random values at the corners of cells, blended smoothly in between. The
    # weights are 3 f ** 2 - 2 f ** 3 with f in 1/256.
    f = np.arange(cell, dtype=np.int32) * 256 // cell
    weight = f * f * (768 - 2 * f) >> 16
    rows, cols = height // cell + 2, width // cell + 2
    values = rng.integers(0, 256, (rows, cols), dtype=np.uint8).astype(np.int32)
    down = values[:-1, None] * (256 - weight[None, :, None]) + values[1:, None] * weight[:, None]
    down = down.reshape(-1, cols)[:height] >> 8
    right = down[:, :-1, None] * (256 - weight) + down[:, 1:, None] * weight
    return right.reshape(height, -1)[:, :width] >> 8


def _clouds(rng: np.random.Generator, height: int, width: int, zoom: int) -> np.ndarray:
    coarse = _lattice(rng, height, width, zoom * int(rng.integers(16, 41)))
    fine = _lattice(rng, height, width, zoom * int(rng.integers(4, 9)))
    # Halfway values are the most common: stretch them.
    return np.clip((coarse * 3 + fine) * 2 // 4 - 128, 0, 255)


def _grain(rng: np.random.Generator, height: int, width: int, zoom: int) -> np.ndarray:
    return _lattice(rng, height, width, zoom * int(rng.integers(2, 5)))


TEXTURES: dict[str, Texture] = {
    'gradient': _gradient,
    'stripes': _stripes,
    'checks': _checks,
    'dots': _dots,
    'clouds': _clouds,
    'grain': _grain,
}
_TEXTURES = tuple(TEXTURES.values())


def blend(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Mix two colors or images.

    Args:
        first (np.ndarray): Int32 (3, ) or (h, w, 3), in 0..255.
        second (np.ndarray): The same.
        share (np.ndarray): Integer (h, w), 0 for the first, 255 for the second.

    Returns:
        np.ndarray: Int32 (h, w, 3), in 0..255.
    """
    # 257 / 65536 is 1 / 255 to within a level.
    return first + ((second - first) * (share[..., None] * 257) + 32768 >> 16)


def paint(
    rng: np.random.Generator, height: int, width: int, zoom: int, color: np.ndarray
) -> np.ndarray:
    """A patch of random texture around a color.

    Args:
        rng (np.random.Generator): Source of the texture.
        height (int): Rows.
        width (int): Columns.
        zoom (int): factor by which the pattern is coarser than at 160 x 128.
        color (np.ndarray): Int32 (3, ), the first of the texture's two colors.

    Returns:
        np.ndarray: Int32 (height, width, 3), in 0..255.
    """
    texture = _TEXTURES[int(rng.integers(len(_TEXTURES)))]
    other = np.clip(color + rng.integers(-72, 73, 3), 0, 255).astype(np.int32)
    return blend(color, other, texture(rng, height, width, zoom).astype(np.int32))


def background(rng: np.random.Generator, height: int, width: int, zoom: int) -> np.ndarray:
    """A textured background, in about half of the scenes of two materials.

    Args:
        rng (np.random.Generator): Source of colors and textures.
        height (int): Rows.
        width (int): Columns.
        zoom (int): factor by which the pattern is coarser than at 160 x 128.

    Returns:
        np.ndarray: Int32 (height, width, 3), in 0..255.
    """
    canvas = paint(rng, height, width, zoom, rng.integers(24, 232, 3).astype(np.int32))
    if rng.integers(2):
        other = paint(rng, height, width, zoom, rng.integers(24, 232, 3).astype(np.int32))
        canvas = blend(canvas, other, _clouds(rng, height, width, zoom))
    return canvas


def contrasting_color(rng: np.random.Generator, around: np.ndarray, contrast: float) -> np.ndarray:
    """A random color that stands out from its surroundings.

    Args:
        rng (np.random.Generator): Source of the color.
        around (np.ndarray): Int32 (h, w, 3), what the patch looks like so far.
        contrast (float): Wanted mean difference of the channels, 1 being
            black on white.

    Returns:
        np.ndarray: Int32 (3, ). The first of a few random colors that differs
            enough, the one that differs most if none does.
    """
    mean = around.sum(axis=(0, 1)) // (around.shape[0] * around.shape[1])
    candidates = rng.integers(0, 256, (8, 3)).astype(np.int32)
    # Sums of integers below 2 ** 53: the comparison is exact.
    distance = np.abs(candidates - mean).sum(axis=1)
    enough = distance >= contrast * 3 * 255
    return candidates[int(np.argmax(enough)) if enough.any() else int(np.argmax(distance))]


def _soften(canvas: np.ndarray) -> np.ndarray:
    # Weights 1, 2, 1 down and across; the border repeats itself.
    padded = np.concatenate((canvas[:1], canvas, canvas[-1:]), axis=0)
    canvas = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    padded = np.concatenate((canvas[:, :1], canvas, canvas[:, -1:]), axis=1)
    return padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:] + 8 >> 4


def expose(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    """Make of the scene what a camera does: uneven light, slight blur and noise.

    Args:
        rng (np.random.Generator): Source of light, blur and noise.
        canvas (np.ndarray): Int32 (h, w, 3), in 0..255.

    Returns:
        np.ndarray: Uint8 (h, w, 3).
    """
    height, width = canvas.shape[:2]
    dark, bright = sorted(int(g) for g in rng.integers(176, 305, 2))
    light = dark + (_gradient(rng, height, width, zoom=1) * (bright - dark) >> 8)
    canvas = canvas * light[..., None] >> 8
    for _ in range(int(rng.integers(3))):
        canvas = _soften(canvas)
    strength = int(rng.integers(9))
    noise = rng.integers(0, 256, canvas.shape, dtype=np.uint8).astype(np.int32) - 128
    canvas = canvas + (noise * strength >> 7)
    return np.clip(canvas, 0, 255).astype(np.uint8)
