"""Color transforms against their definitions."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from mmpixcon.datasets.transforms import (
    ColorJitter,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomSolarize,
)
from mmpixcon.datasets.transforms.photometric import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
)


@pytest.fixture
def img() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def gray_of(img: np.ndarray) -> np.ndarray:
    """ITU-R 601 luma of a BGR image."""
    return img.astype(float) @ [0.114, 0.587, 0.299]


def test_adjustments_match_their_definitions(img):
    f = img.astype(float)
    for factor in (0.6, 1.0, 1.4):
        expected = np.clip(f * factor, 0, 255)
        assert np.abs(adjust_brightness(img, factor) - expected).max() <= 0.5
        mean = gray_of(img).mean()
        expected = np.clip(mean + (f - mean) * factor, 0, 255)
        assert np.abs(adjust_contrast(img, factor) - expected).max() <= 1
        gray = gray_of(img)[..., None]
        expected = np.clip(gray + (f - gray) * factor, 0, 255)
        assert np.abs(adjust_saturation(img, factor) - expected).max() <= 1.2


def test_hue_turns_the_circle(img):
    turned = adjust_hue(img, 0.25)
    back = adjust_hue(turned, -0.25)
    assert np.abs(back.astype(int) - img).mean() < 2
    for (b, g, r), (b2, g2, r2) in zip(
        img[::9, ::9].reshape(-1, 3), turned[::9, ::9].reshape(-1, 3)
    ):
        h, s, v = colorsys.rgb_to_hsv(r / 255, g / 255, b / 255)
        want = np.array(colorsys.hsv_to_rgb((h + 0.25) % 1, s, v)) * 255
        assert np.abs(want - [r2, g2, b2]).max() < 10


def test_grayscale_and_solarize(img):
    gray = RandomGrayscale(1.0)(dict(img=img))['img']
    assert np.abs(gray - gray_of(img)[..., None]).max() <= 1
    solarized = RandomSolarize(prob=1.0)(dict(img=img))['img']
    assert np.array_equal(solarized, np.where(img < 128, img, 255 - img))


def test_blur_keeps_the_mean_and_lowers_the_variance(img):
    blurred = RandomGaussianBlur(sigma=(2, 2), prob=1.0)(dict(img=img))['img']
    assert blurred.std() < 0.3 * img.std()
    assert abs(blurred.mean() - img.mean()) < 3


def test_probability_and_strengths_are_those_asked_for(img):
    np.random.seed(0)
    jitter = ColorJitter(brightness=0.4, contrast=0, saturation=0, hue=0, prob=0.8)
    flat = np.full((2, 2, 3), 100, np.uint8)
    means = np.array([jitter(dict(img=flat))['img'].mean() for _ in range(2000)])
    assert (means == 100).mean() == pytest.approx(0.2, abs=0.04)
    changed = means[means != 100]
    assert changed.min() >= 60
    assert changed.max() <= 140
    assert changed.mean() == pytest.approx(100, abs=2)


@pytest.mark.parametrize(
    'make',
    [
        lambda: RandomGrayscale(1.5),
        lambda: ColorJitter(hue=0.6),
        lambda: ColorJitter(brightness=-1),
        lambda: RandomGaussianBlur(sigma=(2, 1)),
    ],
)
def test_bad_settings(make):
    with pytest.raises(ValueError, match='must'):
        make()
