"""The app that draws affinities of clicked points, in a browser and without one."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import ExifTags, Image

from mmpixcon.apis.backbones import LoadedBackbone, load_backbone, read_square
from mmpixcon.registry import MODELS
from mmpixcon.visualization.feature_maps import affinity_map, color_affinity, mark_point
from mmpixcon.visualization.point_affinities import PhotoAffinities, pixel_share
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool

STOCK = CONFIGS / 'stock' / 'faster-rcnn_r18_fpn_1xb8-12e_scenes.py'
TOOL = ROOT / 'tools' / 'analysis_tools' / 'affinity_app.py'
SIZE = 64
CELLS = 8


class Counting(torch.nn.Module):
    """Two maps of random channels; counts how often it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0
        self.layer = torch.nn.Conv2d(3, 6, 8, stride=8)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A map that is not looked at, and one that is."""
        self.runs += 1
        return images, self.layer(images)


@pytest.fixture
def backbone() -> LoadedBackbone:
    """A tiny one."""
    zero = torch.zeros(3, 1, 1)
    return LoadedBackbone(Counting(), zero, zero + 255, bgr_to_rgb=False)


@pytest.fixture
def photo(tmp_path) -> Path:
    """Of 120 x 90 noise."""
    path = tmp_path / 'photo.png'
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8))
    return path


def test_a_click_gives_the_maps_of_its_pixel(backbone, photo):
    affinities = PhotoAffinities(dict(a=backbone, b=backbone), SIZE, CELLS)
    actual = affinities.at(photo, (30, 80))
    point = (30.5 / 120, 80.5 / 90)
    feature = backbone.maps(read_square(photo, SIZE)[None])[-1][0]
    affinity = affinity_map(feature, point, CELLS)
    # Shown with the photo's proportions, the longer side as long as what the backbone sees.
    assert actual.marked.shape == (48, 64, 3) and list(actual.pictures) == ['a', 'b']
    assert np.array_equal(actual.pictures['b'], color_affinity(affinity, (48, 64)))
    assert actual.captions['b'] == f'b: {affinity.min():.3f} to 1.000'
    assert np.array_equal(actual.marked, mark_point(affinities.photo(photo).picture, point))
    large = PhotoAffinities(dict(a=backbone), 256, CELLS).at(photo, (0, 0))
    assert large.marked.shape == large.pictures['a'].shape == (192, 256, 3)


def test_backbones_run_once_a_photo(backbone, photo, tmp_path):
    affinities = PhotoAffinities(dict(a=backbone), SIZE, CELLS, kept=2)
    copy = shutil.copy(photo, tmp_path / 'copy.png')
    for path in (photo, copy, photo):
        affinities.at(path, (3, 4))
        affinities.at(path, (5, 6))
    assert backbone.backbone.runs == 1
    others = []
    for i in range(2):
        others.append(tmp_path / f'{i}.png')
        cv2.imwrite(str(others[-1]), np.full((8, 8, 3), i, np.uint8))
    affinities.photo(others[0])
    affinities.photo(photo)
    # This pushes out the one that was used longest ago.
    affinities.photo(others[1])
    affinities.photo(photo)
    assert backbone.backbone.runs == 3
    affinities.photo(others[0])
    assert backbone.backbone.runs == 4


def test_photos_are_turned_as_a_browser_turns_them(backbone, tmp_path):
    path = tmp_path / 'turned.jpg'
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new('RGB', (40, 20)).save(path, exif=exif)
    actual = PhotoAffinities(dict(a=backbone), SIZE, CELLS)
    assert actual.photo(path).shape == (40, 20)
    assert actual.at(path, (19, 39)).marked.shape == (64, 32, 3)


def test_what_is_no_image_is_named(backbone, tmp_path):
    path = tmp_path / 'text.png'
    path.write_text('no image')
    with pytest.raises(ValueError, match=r'text\.png cannot be read as an image'):
        PhotoAffinities(dict(a=backbone), SIZE).at(path, (0, 0))


def test_shares_are_of_the_centre_of_a_pixel():
    assert pixel_share((0, 0), (2, 4)) == (0.125, 0.25)
    assert pixel_share((3, 1), (2, 4)) == (0.875, 0.75)
    # A browser rounds, and may name the pixel behind the last one.
    assert pixel_share((4, -1), (2, 4)) == (0.875, 0.25)


def test_without_gradio_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    monkeypatch.delitem(sys.modules, 'mmpixcon.visualization.affinity_app', raising=False)
    status, _, error = run_tool(TOOL, '--model', 'a=config.py,checkpoint.pth')
    assert status == 1
    assert error.strip().endswith("the app needs Gradio: pip install 'mmpixcon[app]'")


@contextlib.contextmanager
def served(command: list[object], port: int, log: Path, files: Path) -> Iterator[None]:
    """Run the app in a process of its own as long as the block lasts."""
    with log.open('w') as file:
        app = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, TMPDIR=str(files)),
        )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port)):
                break
            assert app.poll() is None, log.read_text()[-2000:]
            time.sleep(0.5)
        else:
            pytest.fail(f'the app does not listen: {log.read_text()[-2000:]}')
        yield
    finally:
        app.terminate()
        app.wait(30)


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[object]:
    """Debian's Chromium, without a window and without looking for anything elsewhere."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for flag in (
        'headless', 'no-sandbox', 'disable-gpu', 'disable-quic', 'no-first-run',
        'disable-background-networking', 'disable-component-update', 'disable-sync',
        'disable-dev-shm-usage', 'window-size=1600,1200', f'user-data-dir={folder}',
    ):  # fmt: skip
        options.add_argument(f'--{flag}')
    service = webdriver.ChromeService(shutil.which('chromedriver'))
    browser = webdriver.Chrome(options, service)
    try:
        yield browser
    finally:
        browser.quit()


def wait_for(condition: Callable[[], object], what: str, log: Path, seconds: float = 90) -> None:
    """Until a condition holds in the page, whose parts come and go meanwhile."""
    from selenium.common.exceptions import WebDriverException

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(WebDriverException):
            if condition():
                return
        time.sleep(0.2)
    pytest.fail(f'{what}: not within {seconds} s. The app wrote: {log.read_text()[-2000:]}')


def save_backbones(folder: Path, config: Path) -> dict[str, Path]:
    """Two checkpoints of different random weights."""
    paths = {}
    for seed, name in enumerate(['before', 'after pretraining']):
        torch.manual_seed(seed)
        paths[name] = folder / f'{seed}.pth'
        torch.save(MODELS.build(Config.fromfile(config).model.backbone).state_dict(), paths[name])
    return paths


@pytest.mark.slow
def test_a_click_in_a_browser(bccd_root, tmp_path):
    for package in ('gradio', 'selenium'):
        # Not imported here: Gradio takes seconds, and the app does so itself.
        if not importlib.util.find_spec(package):
            pytest.skip(f"{package} is missing: pip install 'mmpixcon[app,tests]'")
    for program in ('chromium', 'chromedriver'):
        if not shutil.which(program):
            pytest.skip(f'{program} is missing: apt-get install chromium chromium-driver')
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    config = tmp_path / 'config.py'
    config.write_text(f'_base_ = [{str(STOCK)!r}]\nmodel = dict(backbone=dict(init_cfg=None))\n')
    checkpoints = save_backbones(tmp_path, config)
    samples = tmp_path / 'samples'
    samples.mkdir()
    for path in sorted((bccd_root / 'images').glob('*.jpg'))[:2]:
        shutil.copy(path, samples)
    first, second = sorted(samples.iterdir())
    text, cut = tmp_path / 'text.png', tmp_path / 'cut.png'
    text.write_text('no image')
    cut.write_bytes(cv2.imencode('.png', cv2.imread(str(first)))[1].tobytes()[:60])
    # Gradio's message, and that for what only looks like an image.
    broken = {text: 'cannot identify image file', cut: 'This file cannot be read as an image.'}
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [TOOL, '--photos', samples, '--size', SIZE, '--cells', CELLS, '--port', port]
    for name, checkpoint in checkpoints.items():
        command += ['--model', f'{name}={config},{checkpoint}']
    log = tmp_path / 'log.txt'

    loaded_backbones = {name: load_backbone(config, path) for name, path in checkpoints.items()}

    def expected(name: str, path: Path, share: tuple[float, float]) -> np.ndarray:
        """The map that the command line draws, with the proportions of the photos."""
        feature = loaded_backbones[name].maps(read_square(path, SIZE)[None])
        return color_affinity(affinity_map(feature[-1][0], share, CELLS), (48, 64))

    files = tmp_path / 'files'
    files.mkdir()
    with served(command, port, log, files), chromium(tmp_path / 'browser') as browser:

        def image(part: str) -> object:
            """The picture of a part of the page."""
            return browser.find_element(By.CSS_SELECTOR, f'#{part} img')

        def present(selector: str) -> bool:
            """Whether there is such an element."""
            return bool(browser.find_elements(By.CSS_SELECTOR, selector))

        def loaded(part: str) -> bool:
            """Whether a part of the page shows a picture."""
            script = 'return arguments[0].complete && arguments[0].naturalWidth > 0'
            return browser.execute_script(script, image(part))

        def shown(part: str) -> np.ndarray:
            """The picture that a part of the page shows, as the app sent it."""
            with urllib.request.urlopen(image(part).get_attribute('src')) as answer:
                return cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR)

        def click(share: tuple[float, float]) -> None:
            """Click into the photo, which is centered in its part of the page."""
            photo = image('photo')
            width, height = photo.rect['width'], photo.rect['height']
            natural = [int(photo.get_property(f'natural{s}')) for s in ('Width', 'Height')]
            scale = min(width / natural[0], height / natural[1])
            offset = [round((part - 0.5) * side * scale) for part, side in zip(share, natural)]
            ActionChains(browser).move_to_element_with_offset(photo, *offset).click().perform()

        def upload(path: Path) -> None:
            """Remove the photo and choose a file instead."""
            remove = '#photo button[aria-label="Remove Image"]'
            browser.find_element(By.CSS_SELECTOR, remove).click()
            wait_for(lambda: not present('#photo img') and not present('#map-1 img'), 'none', log)
            choose = '#photo input[type=file]'
            browser.find_element(By.CSS_SELECTOR, choose).send_keys(str(path))

        def label(part: str) -> str:
            """What stands above a picture."""
            return browser.find_element(By.CSS_SELECTOR, f'#{part} label').text

        def check(path: Path, share: tuple[float, float]) -> None:
            """The maps of both checkpoints are there, and right."""
            for i, name in enumerate(checkpoints, 1):
                wait_for(lambda i=i: loaded(f'map-{i}'), f'map {i} of {path.name}', log)
                assert label(f'map-{i}').startswith(f'{name}: '), label(f'map-{i}')
                assert label(f'map-{i}').endswith(' to 1.000')
                assert np.array_equal(shown(f'map-{i}'), expected(name, path, share))

        browser.get(f'http://127.0.0.1:{port}')
        # The browser forgets what it fetched after 250 files otherwise.
        browser.execute_script('performance.setResourceTimingBufferSize(10000)')
        # The first sample is there from the start. Points are centers of cells.
        wait_for(lambda: loaded('photo'), 'the first photo', log)
        share = (2.5 / CELLS, 5.5 / CELLS)
        click(share)
        check(first, share)
        rows, columns = np.nonzero(np.all(shown('map-0') == (0, 0, 255), axis=2))
        assert abs(columns.mean() - share[0] * 64) < 2 and abs(rows.mean() - share[1] * 48) < 2
        assert not np.array_equal(shown('map-1'), shown('map-2'))
        browser.save_screenshot(str(tmp_path / 'page.png'))

        # Another sample: the maps go, and come back with the next click.
        browser.find_elements(By.CSS_SELECTOR, 'button.gallery-item')[1].click()
        wait_for(lambda: not present('#map-1 img'), 'no map', log)
        wait_for(lambda: loaded('photo'), 'the second photo', log)
        share = (6.5 / CELLS, 1.5 / CELLS)
        click(share)
        check(second, share)

        # Something else than an image: a message, and the app goes on.
        for path, message in broken.items():
            upload(path)
            wait_for(lambda message=message: message in browser.page_source, message, log)
        browser.save_screenshot(str(tmp_path / 'message.png'))
        upload(first)
        wait_for(lambda: loaded('photo'), 'the upload', log)
        click(share)
        check(first, share)

        script = 'return performance.getEntriesByType("resource").map(entry => entry.name)'
        foreign = [
            url
            for url in browser.execute_script(script)
            if not url.startswith((f'http://127.0.0.1:{port}/', 'data:', 'blob:'))
        ]
        assert not foreign
        assert any(files.rglob('*.png'))
    assert not list(files.glob('affinity_app-*'))
