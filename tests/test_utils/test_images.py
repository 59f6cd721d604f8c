"""Image files, and why some cannot be read."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
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


def flat_png(path: Path, side: int) -> Path:
    """Write a gray image of one value, whose file is a thousandth of its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack('>I', zlib.crc32(kind + data))
        return struct.pack('>I', len(data)) + kind + data + checksum

    packer = zlib.compressobj(9)
    data = b''.join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()
    header = struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)
    parts = chunk(b'IHDR', header), chunk(b'IDAT', data), chunk(b'IEND', b'')
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(parts))
    return path


def test_an_image_of_absurd_size_is_refused_by_its_header(tmp_path, monkeypatch):
    path = flat_png(tmp_path / 'huge.png', 12_000)
    assert path.stat().st_size < 200_000
    image, reason = read_image(path)
    assert image is None
    assert reason == (
        'its 12000 x 12000 pixels are more than 100,000,000; set MMPIXCON_MAX_PIXELS=144000000 to '
        'read it'
    )
    small = flat_png(tmp_path / 'small.png', 20)
    assert read_image(small)[0].shape == (20, 20, 3)
    monkeypatch.setenv('MMPIXCON_MAX_PIXELS', '399')
    assert 'set MMPIXCON_MAX_PIXELS=400' in read_image(small)[1]
    monkeypatch.setenv('MMPIXCON_MAX_PIXELS', 'many')
    assert 'MMPIXCON_MAX_PIXELS=many must be a number of pixels' in read_image(small)[1]


@pytest.mark.slow
def test_pipelines_refuse_it_as_well(tmp_path):
    path = flat_png(tmp_path / 'huge.png', 12_000)
    program = (
        'import mmpixcon; from mmcv.transforms import LoadImageFromFile; '
        f'LoadImageFromFile()(dict(img_path={str(path)!r}))'
    )
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', program], capture_output=True)
    assert done.returncode == 1
    assert b'CV_IO_MAX_IMAGE_PIXELS' in done.stderr
