"""The built-in scenes: what is drawn and what is annotated."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest

from mmpixcon.datasets.scenes.render import PRESETS, Scene, SceneConfig, preset, render_scene
from mmpixcon.datasets.scenes.shapes import MARKS, OUTLINES, rotate, stamp
from mmpixcon.datasets.scenes.textures import TEXTURES


@pytest.fixture(scope='module')
def scenes() -> list[Scene]:
    """The first 150 scenes of the default config."""
    return [render_scene(SceneConfig(), index) for index in range(150)]


def digest(scene: Scene) -> str:
    """A hash of the pixels and the annotations."""
    parts = (scene.image, scene.boxes, scene.labels, scene.masks)
    return hashlib.sha256(b''.join(part.tobytes() for part in parts)).hexdigest()


def test_same_bytes_always(scenes: list[Scene]) -> None:
    """A scene depends on (seed, index) only, and on no machine."""
    for index in (149, 3, 77, 3):
        assert digest(render_scene(SceneConfig(), index)) == digest(scenes[index])
    assert digest(render_scene(SceneConfig(seed=1), 3)) != digest(scenes[3])
    assert len({digest(scene) for scene in scenes}) == len(scenes)
    # Recorded; a change of these needs a new RENDERER_VERSION.
    assert {name: digest(render_scene(PRESETS[name], 7))[:16] for name in PRESETS} == {
        'easy': '83c3f758a17d5d13',
        'default': 'd703ce3a56daa767',
        'hard': '74cb79fc30fc7f66',
    }


def test_formats(scenes: list[Scene]) -> None:
    """Types and shapes are what the docstring says, without objects too."""
    empty = render_scene(SceneConfig(objects=(0, 0), size=(48, 40)), 0)
    for scene, (height, width) in ((scenes[0], (128, 160)), (empty, (40, 48))):
        n = len(scene.labels)
        assert scene.image.shape == (height, width, 3) and scene.image.dtype == np.uint8
        assert scene.boxes.shape == (n, 4) and scene.boxes.dtype == np.float32
        assert scene.labels.shape == (n,) and scene.labels.dtype == np.int64
        assert scene.masks.shape == (n, height, width) and scene.masks.dtype == bool
    assert len(empty.labels) == 0 and len(scenes[0].labels) > 0


def test_boxes_are_tight_and_masks_disjoint(scenes: list[Scene]) -> None:
    """Each box touches its mask on all sides; a pixel shows one object."""
    for scene in scenes:
        assert scene.masks.sum(axis=0).max(initial=0) <= 1
        for box, mask in zip(scene.boxes, scene.masks):
            rows, columns = np.nonzero(mask)
            tight = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert tuple(box) == tight


def test_objects_look_different_from_their_surroundings() -> None:
    """With flat light and no overlap, a mask's pixels differ from those around it."""
    config = preset('easy', objects=(1, 1), clutter=(0, 0), truncation=0.0)
    kernel = np.ones((7, 7), np.uint8)
    differences = []
    for index in range(60):
        scene = render_scene(config, index)
        mask = scene.masks[0].astype(np.uint8)
        around = (cv2.dilate(mask, kernel) - mask).astype(bool)
        image = scene.image.astype(np.float64)
        inside, outside = image[mask > 0].mean(axis=0), image[around].mean(axis=0)
        differences.append(np.abs(inside - outside).mean() / 255)
    assert np.mean(np.array(differences) > 0.15) > 0.9


def test_objects_stay_visible() -> None:
    """Nothing is hidden beyond ``min_visible``, by others, marks or the border."""
    config = SceneConfig(
        size=(200, 200),
        objects=(6, 6),
        size_range=(0.3, 0.3),
        size_mix=(1, 1, 1),
        truncation=0.5,
        min_visible=0.6,
        clutter=(8, 8),
        classes=('disc',),
    )
    radius = 30
    shares = []
    for index in range(30):
        for mask in render_scene(config, index).masks:
            # A disc is made up to 1.25 times narrower.
            shares.append(np.count_nonzero(mask) / (np.pi * radius**2))
    assert min(shares) >= 0.6 / 1.25 * 0.97
    assert max(shares) <= 1.03
    assert np.mean(np.array(shares) < 0.75) > 0.05


def test_full_scene_keeps_fewer_objects() -> None:
    """Objects that cannot be placed are neither drawn nor annotated."""
    config = SceneConfig(
        objects=(30, 30),
        size_range=(0.5, 0.5),
        size_mix=(0, 1, 0),
        truncation=0,
        min_visible=1,
    )
    scene = render_scene(config, 0)
    assert 1 <= len(scene.labels) < 30
    # In front of nothing and behind nothing: the outlines are whole.
    assert all(cv2.connectedComponents(m.astype(np.uint8))[0] == 2 for m in scene.masks)


def test_overlap_and_truncation_occur(scenes: list[Scene]) -> None:
    """Boxes overlap and touch the border in a good part of the scenes."""
    overlapping = truncated = total = 0
    for scene in scenes:
        x1, y1, x2, y2 = scene.boxes.T
        total += len(scene.boxes)
        truncated += int(((x1 == 0) | (y1 == 0) | (x2 == 160) | (y2 == 128)).sum())
        w = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
        h = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
        shared = np.clip(w, 0, None) * np.clip(h, 0, None)
        np.fill_diagonal(shared, 0)
        overlapping += int((shared.sum(axis=0) > 0).sum())
    assert 0.05 < truncated / total < 0.4
    assert 0.4 < overlapping / total < 0.8


def test_overlap_is_a_chance() -> None:
    """Where there is room, 0 keeps objects apart and 1 does not."""
    covered = {}
    for overlap in (0.0, 1.0):
        config = SceneConfig(
            size=(200, 200),
            objects=(4, 4),
            size_range=(0.3, 0.3),
            size_mix=(1, 1, 1),
            truncation=0.0,
            overlap=overlap,
            clutter=(0, 0),
            classes=('square',),
        )
        masks = [m for index in range(25) for m in render_scene(config, index).masks]
        # Squares of a circle of radius 30, made up to 1.25 times narrower.
        covered[overlap] = np.mean([m.sum() < 2 * 30**2 / 1.25 * 0.98 for m in masks])
    assert covered[0.0] == 0 and covered[1.0] > 0.1


@pytest.mark.slow
@pytest.mark.parametrize(('size', 'count'), [((160, 128), 300), ((640, 480), 40)])
def test_all_coco_sizes_occur(size: tuple[int, int], count: int) -> None:
    """Small, medium and large areas, most of them medium."""
    config = SceneConfig(size=size)
    areas = [m.sum() for i in range(count) for m in render_scene(config, i).masks]
    small = np.mean(np.array(areas) < 32**2)
    large = np.mean(np.array(areas) >= 96**2)
    assert 0.1 < small < 0.45
    assert 0.004 < large < 0.3
    assert 1 - small - large > 0.5


def test_classes_are_balanced(scenes: list[Scene]) -> None:
    """No class is rare, and every scene respects the range of objects."""
    counts = np.bincount(np.concatenate([s.labels for s in scenes]), minlength=4)
    assert len(counts) == len(SceneConfig().classes) == 4
    assert counts.min() > 0.6 * counts.mean() and counts.max() < 1.5 * counts.mean()
    per_scene = np.bincount([len(s.labels) for s in scenes], minlength=6)
    assert per_scene[0] == 0 and len(per_scene) == 6 and per_scene[1:].min() > 10


def test_hard_has_empty_scenes() -> None:
    """A range from 0 gives some, but few, scenes without objects."""
    config = preset('hard', size=(64, 64))
    empty = sum(len(render_scene(config, index).labels) == 0 for index in range(100))
    assert 1 <= empty <= 30


# Areas of the outlines in units of the radius squared, from their geometry.
AREAS = {
    'disc': np.pi,
    'ring': np.pi * (1 - (9 / 16) ** 2),
    'square': 2.0,
    'triangle': 3 * np.sqrt(3) / 4,
    'star': 5 * np.sin(np.pi / 5) / 2,
    'cross': 8 * (15 / 16) * (5 / 16) - 4 * (5 / 16) ** 2,
}


@pytest.mark.parametrize('name', OUTLINES)
def test_outlines(name: str) -> None:
    """Area, hole count and one piece at any rotation, and the cut at the border."""
    assert set(AREAS) == set(OUTLINES)
    for radius in (200, 16 * 60):
        for step in range(0, 720, 37):
            size = (400, 400)
            whole = stamp(
                lambda u, v, r=radius: OUTLINES[name](u, v, r), size, (3207, 3195), radius, step
            )
            area = AREAS[name] * (radius / 16) ** 2
            assert abs(whole.full - area) < (0.03 if radius > 500 else 0.12) * area
            mask = np.pad(whole.mask, 1).astype(np.uint8)
            assert cv2.connectedComponents(mask, connectivity=8)[0] == 2
            holes = cv2.connectedComponents(1 - mask, connectivity=4)[0] - 2
            assert holes == (1 if name == 'ring' else 0)
            # The same outline over the corner shows the same pixels there.
            cut = stamp(
                lambda u, v, r=radius: OUTLINES[name](u, v, r), (50, 50), (87, 75), radius, step
            )
            assert cut.full == whole.full and (cut.x, cut.y) == (0, 0)
            dx, dy = whole.x - 200 + 5, whole.y - 199 + 4
            canvas = np.zeros((50, 50), bool)
            canvas[cut.window] = cut.mask
            rows, columns = np.nonzero(whole.mask)
            rows, columns = rows + dy, columns + dx
            inside = (rows >= 0) & (columns >= 0) & (rows < 50) & (columns < 50)
            expected = np.zeros((50, 50), bool)
            expected[rows[inside], columns[inside]] = True
            np.testing.assert_array_equal(canvas, expected)


def test_largest_outlines_do_not_overflow() -> None:
    """At the largest radius, 32-bit squares give what 64-bit ones do."""
    for largest, table in ((3072 * 8, OUTLINES), (2048 * 16 // 3, MARKS)):
        squeeze = 320 if table is OUTLINES else 256
        for name, outline in table.items():
            shares = []
            for kind in (np.int32, np.int64):
                span = np.linspace(-largest - 16, largest + 16, 401).astype(kind)
                u, v = rotate(span[None, :], span[:, None], 90)
                chance = () if table is OUTLINES else (np.random.default_rng(3),)
                shares.append(outline(u * squeeze >> 8, v, largest, *chance))
            np.testing.assert_array_equal(*shares, err_msg=name)
            assert 0.001 < shares[0].mean() < 0.7


@pytest.mark.parametrize('name', TEXTURES)
def test_textures(name: str) -> None:
    """Values fill the range 0..255 and are not constant."""
    rng = np.random.default_rng(0)
    for height, width, zoom in ((96, 120, 1), (3, 2, 1), (200, 260, 3)):
        values = TEXTURES[name](rng, height, width, zoom)
        assert values.shape == (height, width)
        assert values.min() >= 0 and values.max() <= 255
        assert height < 10 or values.max() - values.min() > 200


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('size', (160,)),
        ('size', (160, 16)),
        ('size', (160.5, 128)),
        ('size', (4096, 128)),
        ('objects', (5, 2)),
        ('objects', (-1, 2)),
        ('objects', 3),
        ('size_range', (0.5, 0.2)),
        ('size_range', (0.0, 0.2)),
        ('size_range', (0.01, 0.05)),
        ('size_mix', (1.0, 1.0)),
        ('size_mix', (0.0, 0.0, 0.0)),
        ('size_mix', (1.0, -1.0, 1.0)),
        ('truncation', 1.5),
        ('overlap', -0.5),
        ('min_visible', 0),
        ('contrast', 'high'),
        ('clutter', (2, 1)),
        ('classes', ()),
        ('classes', ('disc', 'disc')),
        ('classes', ('disc', 'heart')),
        ('classes', 'disc'),
        ('seed', -1),
        ('seed', 0.5),
    ],
)
def test_bad_config(field: str, value: object) -> None:
    """The message names the field, the value and what to give instead."""
    with pytest.raises(ValueError, match=rf'SceneConfig\.{field} is ') as error:
        SceneConfig(**{field: value})
    assert repr(value) in str(error.value)
    assert any(word in str(error.value) for word in ('give', 'choose', 'raise', 'name each'))


def test_size_mix_without_such_objects() -> None:
    """Weights for sizes that the range excludes are refused."""
    with pytest.raises(ValueError, match='size_range leaves no object'):
        SceneConfig(size_range=(0.1, 0.3), size_mix=(0, 0, 1))
    with pytest.raises(ValueError, match='preset is'):
        preset('simple')
    with pytest.raises(ValueError, match='numbered from 0'):
        render_scene(SceneConfig(), -1)
