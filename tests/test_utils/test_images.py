"""Image files, and why some cannot be read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmpixcon.utils.images import read_image


@pytest.mark.parametrize(
    'content, reason',
    [
        (None, 'No such file or directory'),
        (b'', 'the file is empty'),
        (b'no image', 'the content is no image'),
    ],
)
def test_the_reason_why_a_file_cannot_be_read(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / 'a.png'
    if content is not None:
        path.write_bytes(content)
    assert read_image(path) == read_image(str(path)) == (None, reason)


def test_the_reason_of_a_backend_without_a_file() -> None:
    assert read_image('a.png', dict(backend='nowhere')) == (None, "KeyError: 'nowhere'")


def test_pixels_are_in_the_order_of_opencv(tmp_path: Path) -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    cv2.imwrite(str(tmp_path / 'a.png'), pixels)
    image, reason = read_image(tmp_path / 'a.png')
    assert reason is None
    np.testing.assert_array_equal(image, pixels)
