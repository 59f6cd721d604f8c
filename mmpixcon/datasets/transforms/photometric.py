"""Color transforms on uint8 BGR images, through OpenCV.

They change no geometry. Distributions are those of BYOL and MoCo v2.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmpixcon.registry import TRANSFORMS

# ITU-R 601 luma of blue, green, red.
_LUMA = (0.114, 0.587, 0.299)


def _gray(img: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(img, cv2.COLOR_BGR2GRAY)


def adjust_brightness(img: np.ndarray, factor: float) -> np.ndarray:
    """Multiply a (H, W, 3) uint8 image by a factor, saturating."""
    return cv2.convertScaleAbs(img, alpha=factor)


def adjust_contrast(img: np.ndarray, factor: float) -> np.ndarray:
    """Scale the distance of a (H, W, 3) uint8 image from its mean gray."""
    mean = round(float(np.dot(cv2.mean(img)[:3], _LUMA)))
    return cv2.addWeighted(img, factor, img, 0, (1 - factor) * mean)


def adjust_saturation(img: np.ndarray, factor: float) -> np.ndarray:
    """Scale the distance of a (H, W, 3) uint8 image from its gray version."""
    gray = cv2.cvtColor(_gray(img), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(img, factor, gray, 1 - factor, 0)


def adjust_hue(img: np.ndarray, shift: float) -> np.ndarray:
    """Rotate the hue of a (H, W, 3) uint8 image by a share of the circle, -0.5 to 0.5."""
    hue, saturation, value = cv2.split(cv2.cvtColor(img, cv2.COLOR_BGR2HSV_FULL))
    turned = ((np.arange(256) + round(shift * 256)) % 256).astype(np.uint8)
    hsv = cv2.merge((cv2.LUT(hue, turned), saturation, value))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)


class _WithProbability(BaseTransform):
    """A transform of the image alone that happens with some probability.

    Args:
        prob (float): Probability, 0 to 1.

    Raises:
        ValueError: ``prob`` is no probability.
    """

    def __init__(self, prob: float) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'{type(self).__name__}: prob must be in [0, 1], got {prob}')
        self.prob = prob

    def apply(self, img: np.ndarray) -> np.ndarray:
        """Change a (H, W, 3) uint8 BGR image."""
        raise NotImplementedError

    @cache_randomness
    def _happens(self) -> bool:
        return np.random.rand() < self.prob

    def transform(self, results: dict) -> dict:
        """Change ``results['img']``, or not."""
        if self._happens():
            results['img'] = self.apply(results['img'])
        return results

    def __repr__(self) -> str:
        settings = ', '.join(f'{name}={value}' for name, value in vars(self).items())
        return f'{type(self).__name__}({settings})'


@TRANSFORMS.register_module()
class ColorJitter(_WithProbability):
    """Brightness, contrast, saturation and hue, each by chance, in random order.

    Args:
        brightness (float): Factor in [1 - b, 1 + b]. Defaults to 0.4.
        contrast (float): Factor likewise. Defaults to 0.4.
        saturation (float): Factor likewise. Defaults to 0.2.
        hue (float): Shift in [-h, h] of the color circle. Defaults to 0.1.
        prob (float): Probability of the whole. Defaults to 0.8.

    Raises:
        ValueError: A strength is negative, or hue above 0.5.
    """

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.2,
        hue: float = 0.1,
        prob: float = 0.8,
    ) -> None:
        super().__init__(prob)
        if min(brightness, contrast, saturation, hue) < 0 or hue > 0.5:
            raise ValueError(
                'ColorJitter: strengths must not be negative and hue not above 0.5, got '
                f'{(brightness, contrast, saturation, hue)}'
            )
        self.brightness, self.contrast = brightness, contrast
        self.saturation, self.hue = saturation, hue

    @cache_randomness
    def _steps(self) -> list[tuple[Callable[[np.ndarray, float], np.ndarray], float]]:
        def factor(strength: float) -> float:
            return np.random.uniform(max(0.0, 1 - strength), 1 + strength)

        steps = [
            (adjust_brightness, factor(self.brightness), self.brightness),
            (adjust_contrast, factor(self.contrast), self.contrast),
            (adjust_saturation, factor(self.saturation), self.saturation),
            (adjust_hue, np.random.uniform(-self.hue, self.hue), self.hue),
        ]
        return [steps[i][:2] for i in np.random.permutation(4) if steps[i][2] > 0]

    def apply(self, img: np.ndarray) -> np.ndarray:
        """Jitter the colors of a (H, W, 3) uint8 BGR image."""
        for adjust, value in self._steps():
            img = adjust(img, value)
        return img


@TRANSFORMS.register_module()
class RandomGrayscale(_WithProbability):
    """Gray in all three channels.

    Args:
        prob (float): Probability. Defaults to 0.2.
    """

    def __init__(self, prob: float = 0.2) -> None:
        super().__init__(prob)

    def apply(self, img: np.ndarray) -> np.ndarray:
        """Make a (H, W, 3) uint8 BGR image gray."""
        return cv2.cvtColor(_gray(img), cv2.COLOR_GRAY2BGR)


@TRANSFORMS.register_module()
class RandomGaussianBlur(_WithProbability):
    """Blur of random width.

    Args:
        sigma (tuple[float, float]): Range of the standard deviation, pixels.
            Defaults to (0.1, 2.0).
        prob (float): Probability. Defaults to 0.5.

    Raises:
        ValueError: The range is empty or not positive.
    """

    def __init__(self, sigma: tuple[float, float] = (0.1, 2.0), prob: float = 0.5) -> None:
        super().__init__(prob)
        if not 0 < sigma[0] <= sigma[1]:
            raise ValueError(f'RandomGaussianBlur: sigma must be a positive range, got {sigma}')
        self.sigma = tuple(sigma)

    @cache_randomness
    def _draw(self) -> float:
        return np.random.uniform(self.sigma[0], self.sigma[1])

    def apply(self, img: np.ndarray) -> np.ndarray:
        """Blur a (H, W, 3) uint8 image; OpenCV sizes the kernel by sigma."""
        return cv2.GaussianBlur(img, (0, 0), self._draw())


@TRANSFORMS.register_module()
class RandomSolarize(_WithProbability):
    """Invert what is bright.

    Args:
        threshold (int): Values from here on are inverted. Defaults to 128.
        prob (float): Probability. Defaults to 0.2.
    """

    def __init__(self, threshold: int = 128, prob: float = 0.2) -> None:
        super().__init__(prob)
        self.threshold = threshold

    def apply(self, img: np.ndarray) -> np.ndarray:
        """Solarize a (H, W, 3) uint8 image."""
        levels = np.arange(256)
        table = np.where(levels < self.threshold, levels, 255 - levels)
        return cv2.LUT(img, table.astype(np.uint8))
