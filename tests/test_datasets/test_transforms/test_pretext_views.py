"""Views of pretraining: distributions beside torchvision's, homographies, packing."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import mmselfsup
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmselfsup.models.utils import SelfSupDataPreprocessor
from PIL import Image
from scipy.stats import ks_2samp
from torchvision import transforms as T

from mmpixcon.datasets.transforms import (
    ContrastViews,
    JigsawView,
    PackViews,
    RandomResizedCrop,
)
from mmpixcon.datasets.transforms.geometry import resize_antialiased
from mmpixcon.registry import TRANSFORMS
from tests.helpers.configs import CONFIGS

STOCK = Path(mmselfsup.__path__[0]) / '.mim' / 'configs' / 'selfsup'
# Our view, and where mmselfsup ships the settings of the same one.
VIEWS = {
    'mocov2_view': ('mocov2', '_base_/datasets/imagenet_mocov2.py', 0),
    'byol_view1': ('byol', '_base_/datasets/imagenet_byol.py', 0),
    'byol_view2': ('byol', '_base_/datasets/imagenet_byol.py', 1),
}
SIDE, DRAWS = 32, 1000
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def piece(file: str, name: str) -> list | dict:
    """A piece of ``configs/_base_/views``; BYOL's views with the crops of its paper."""
    pieces = Config.fromfile(CONFIGS / '_base_' / 'views' / f'{file}.py')
    if name.startswith('byol_view'):
        crop = dict(pieces.byol_crop, crop_ratio_range=(0.08, 1.0))
        return [crop, *pieces[name.replace('view', 'color')]]
    return pieces[name]


def view_steps(file: str) -> list[dict]:
    """What comes after the image is read."""
    return [piece(file, 'contrast_views'), piece(file, 'pack_views')]


def small(view: list[dict]) -> list[dict]:
    """The same view, of 32 pixels."""
    return [dict(view[0], scale=SIDE), *view[1:]]


def stock_views(path: str) -> list[list[dict]]:
    """The views of a shipped config of mmselfsup."""
    pipeline = Config.fromfile(STOCK / path).train_pipeline
    (views,) = (step.transforms for step in pipeline if step.type == 'MultiView')
    return views


def reference(steps: list[dict]) -> T.Compose:
    """Settings of mmselfsup for a view, in torchvision's own transforms, at 32 pixels.

    They get floats: on bytes, PIL cuts off what is left of a level at every step.
    """
    built = []
    for step in steps:
        kind = step['type']
        if kind == 'RandomResizedCrop':
            bicubic = step.get('interpolation', 'bilinear') == 'bicubic'
            mode = T.InterpolationMode.BICUBIC if bicubic else T.InterpolationMode.BILINEAR
            built.append(
                T.RandomResizedCrop(
                    SIDE, step.get('scale', (0.08, 1.0)), interpolation=mode, antialias=True
                )
            )
            # Bicubic overshoots, where bytes saturate.
            built.append(T.Lambda(lambda img: img.clamp(0, 1)))
        elif kind == 'RandomApply':
            jitter = {k: v for k, v in step['transforms'][0].items() if k != 'type'}
            built.append(T.RandomApply([T.ColorJitter(**jitter)], step['prob']))
        elif kind == 'RandomGrayscale':
            built.append(T.RandomGrayscale(step['prob']))
        elif kind == 'RandomGaussianBlur':
            sigma = (step['sigma_min'], step['sigma_max'])
            built.append(T.RandomApply([T.GaussianBlur(13, sigma)], step['prob']))
        elif kind == 'RandomSolarize':
            built.append(T.RandomSolarize(128 / 255, step['prob']))
        else:
            assert kind == 'RandomFlip'
            built.append(T.RandomHorizontalFlip(step['prob']))
    return T.Compose(built)


def statistics(rgb: np.ndarray) -> dict[str, float]:
    """What color transforms change, of a (32, 32, 3) view, 0 to 1."""
    f = rgb.astype(float)
    high, low = f.max(-1), f.min(-1)
    mean = f.mean((0, 1))
    hue = cv2.cvtColor(mean[None, None].astype(np.float32), cv2.COLOR_RGB2HSV)[0, 0, 0] / 360
    gray = f @ [0.299, 0.587, 0.114]
    return dict(
        brightness=gray.mean(),
        contrast=gray.std(),
        # The photos are pink, where the circle of hues is cut: turned by half.
        hue=(hue + 0.5) % 1,
        saturation=((high - low) / np.maximum(high, 1e-6)).mean(),
        # Neighbors along a row: what blur lowers, and flips turn over.
        sharpness=np.abs(np.diff(gray, axis=1)).mean(),
        tilt=(gray[:, SIDE // 2 :] - gray[:, : SIDE // 2]).mean(),
    )


@pytest.fixture(scope='module')
def photos(bccd_root: Path) -> list[np.ndarray]:
    """Twelve photos, (120, 160, 3) BGR."""
    paths = sorted((bccd_root / 'images').glob('*.jpg'))[:12]
    return [cv2.resize(cv2.imread(str(p)), (160, 120), interpolation=cv2.INTER_AREA) for p in paths]


def draw_ours(view: list[dict], photos: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Statistics of many views."""
    np.random.seed(0)
    views = ContrastViews([small(view)])
    rows = []
    for i in range(DRAWS):
        results = views(dict(img=photos[i % len(photos)]))
        matrix = results['homography_matrix'][0]
        width, height = SIDE / abs(matrix[0, 0]), SIDE / matrix[1, 1]
        rows.append(
            dict(
                statistics(results['img'][0][..., ::-1] / 255),
                area=width * height / (120 * 160),
                aspect=np.log(width / height),
            )
        )
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def draw_reference(view: list[dict], photos: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The same of torchvision's transforms."""
    torch.manual_seed(1)
    transform = reference(view)
    images = [
        torch.from_numpy(photo[..., ::-1].transpose(2, 0, 1).copy()).float() / 255
        for photo in photos
    ]
    crop = transform.transforms[0]
    rows = []
    for i in range(DRAWS):
        image = images[i % len(images)]
        _, _, height, width = crop.get_params(image, crop.scale, crop.ratio)
        rows.append(
            dict(
                statistics(transform(image).permute(1, 2, 0).numpy()),
                area=width * height / (120 * 160),
                aspect=np.log(width / height),
            )
        )
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


@pytest.fixture(scope='module')
def references(photos: list[np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Statistics of torchvision's transforms with the settings of each view."""
    return {
        name: draw_reference(stock_views(path)[index], photos)
        for name, (_, path, index) in VIEWS.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize('name', VIEWS)
def test_views_are_distributed_as_torchvisions(
    name: str, photos: list[np.ndarray], references: dict[str, dict[str, np.ndarray]]
) -> None:
    ours = draw_ours(piece(VIEWS[name][0], name), photos)

    def distances(theirs: dict[str, np.ndarray]) -> dict[str, float]:
        return {key: ks_2samp(ours[key], theirs[key]).statistic for key in ours}

    theirs = references[name]
    # Kolmogorov and Smirnov: less than one of a thousand equal pairs is further apart.
    limit = 1.95 * np.sqrt(2 / DRAWS)
    assert max(distances(theirs).values()) < limit, distances(theirs)
    for key in ours:
        # Three and a half standard errors of a difference of means.
        error = np.hypot(ours[key].std(), theirs[key].std()) / np.sqrt(DRAWS)
        assert abs(ours[key].mean() - theirs[key].mean()) < 3.5 * error, key
        assert ours[key].std() == pytest.approx(theirs[key].std(), rel=0.12), key
    assert (ours['saturation'] == 0).mean() == pytest.approx(0.2, abs=0.03)
    # What tells one view from another is seen: these limits are not loose.
    for other in VIEWS.keys() - {name}:
        assert max(distances(references[other]).values()) > 2 * limit, other


def test_simsiam_has_the_views_of_mocov2() -> None:
    simsiam = stock_views('simsiam/simsiam_resnet50_8xb32-coslr-200e_in1k.py')
    assert simsiam == stock_views('_base_/datasets/imagenet_mocov2.py')


@pytest.mark.parametrize(
    'name, blurred, solarized',
    [('mocov2_view', 0.5, 0.0), ('byol_view1', 1.0, 0.0), ('byol_view2', 0.1, 0.2)],
)
def test_blur_and_solarize_have_the_probabilities_of_the_papers(
    name: str, blurred: float, solarized: float
) -> None:
    # Pixels alternate between 100 and 200: any blur that a byte shows moves them.
    img = np.indices((16, 16)).sum(0) % 2 * 100 + 100
    img = np.repeat(img[..., None], 3, -1).astype(np.uint8)
    rates = {'RandomGaussianBlur': 0.0, 'RandomSolarize': 0.0}
    np.random.seed(2)
    for step in piece(VIEWS[name][0], name):
        kind = step['type'].removeprefix('mmpixcon.')
        if kind in rates:
            # Below a deviation of 0.35 a blur is too weak to see.
            step = dict(step, sigma=(0.35, 2.0)) if 'sigma' in step else step
            transform = TRANSFORMS.build(step)
            changed = [(transform(dict(img=img))['img'] != img).any() for _ in range(2000)]
            rates[kind] = np.mean(changed)
    assert rates['RandomGaussianBlur'] == pytest.approx(blurred, abs=0.035)
    assert rates['RandomSolarize'] == pytest.approx(solarized, abs=0.03)


def test_blur_deviation_is_uniform() -> None:
    (step,) = (s for s in piece('mocov2', 'mocov2_view') if 'Blur' in s['type'])
    blur = TRANSFORMS.build(dict(step, prob=1.0))
    bar = np.zeros((3, 41, 3), np.uint8)
    bar[:, 20] = 255
    position = np.arange(41) - 20
    np.random.seed(0)
    actual = []
    for _ in range(800):
        row = blur(dict(img=bar))['img'][1, :, 0].astype(float)
        actual.append(np.sqrt((row * position**2).sum() / row.sum()))
    actual = np.array(actual)
    # A byte does not show the narrow ones.
    seen = actual[actual > 0.5]
    assert seen.max() < 2.0
    assert len(seen) / len(actual) == pytest.approx(1.5 / 1.9, abs=0.05)
    assert seen.mean() == pytest.approx(1.25, abs=0.07)
    assert seen.std() == pytest.approx(1.5 / np.sqrt(12), abs=0.05)


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic'])
@pytest.mark.parametrize('size', [(150, 97), (40, 60), (224, 224), (61, 300)])
def test_antialiased_resizing_is_that_of_pil(interpolation: str, size: tuple[int, int]) -> None:
    img = np.random.default_rng(0).integers(0, 256, (300, 301, 3), dtype=np.uint8)
    crop = img[: size[0], 1 : 1 + size[1]]
    ours = resize_antialiased(crop, (64, 72), interpolation)
    mode = getattr(Image.Resampling, interpolation.upper())
    theirs = np.asarray(Image.fromarray(crop).resize((72, 64), mode))
    assert ours.flags.c_contiguous
    off = np.abs(ours.astype(int) - theirs)
    if interpolation == 'bilinear':
        assert off.max() <= 1
    else:
        # PIL and torch saturate between the passes, in another order.
        assert off.max() <= 8
        assert (off > 1).mean() < 0.01
    if size == (224, 224):
        # OpenCV's read too few pixels where they shrink, so that noise stays.
        mode = cv2.INTER_LINEAR if interpolation == 'bilinear' else cv2.INTER_CUBIC
        assert cv2.resize(crop, (72, 64), interpolation=mode).std() > 1.5 * theirs.std()


def ramp(height: int = 120, width: int = 160) -> np.ndarray:
    """Image that holds the position of each pixel, x and y."""
    y, x = np.mgrid[:height, :width].astype(np.uint8)
    return np.stack([x, y, x], axis=-1)


def assert_positions(img: np.ndarray, matrix: np.ndarray, margin: int = 3) -> None:
    """A view of the ramp shows where its homography says that it looks."""
    side = img.shape[0]
    y, x = np.mgrid[:side, :side] + 0.5
    raw = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(matrix).T
    inner = slice(margin, -margin)
    error = raw[inner, inner, :2] - 0.5 - img[inner, inner, :2]
    # Half a level of rounding and what a ramp of bytes loses in the filter.
    assert np.abs(error).max() <= 0.75


@pytest.mark.parametrize('name', ['mocov2_view', 'byol_view1'])
def test_homography_of_a_view_is_exact(name: str) -> None:
    view = small(piece(VIEWS[name][0], name))[:1]
    np.random.seed(0)
    mirrored = 0
    for _ in range(20):
        results = ContrastViews([view, view])(dict(img=ramp()))
        assert results['img_shape'] == [(SIDE, SIDE)] * 2
        for img, matrix in zip(results['img'], results['homography_matrix']):
            assert_positions(img, matrix)
            mirrored += matrix[0, 0] < 0
    assert 10 <= mirrored <= 30


@pytest.mark.parametrize('flip_prob', [0.0, 1.0])
def test_a_marked_pixel_lands_where_the_matrix_says(flip_prob: float) -> None:
    img = np.zeros((20, 20, 3), np.uint8)
    img[4, 7] = 255
    crop = RandomResizedCrop(
        scale=20, crop_ratio_range=(1, 1), aspect_ratio_range=(1, 1), flip_prob=flip_prob
    )
    results = crop(dict(img=img))
    x, y, _ = results['homography_matrix'] @ [7.5, 4.5, 1]
    assert np.argwhere(results['img'][..., 0] == 255).tolist() == [[int(y), int(x)]]
    assert x == (12.5 if flip_prob else 7.5)
    assert results['flip'] == bool(flip_prob)


def test_views_keep_the_homography_of_what_came_before() -> None:
    before = np.array([[0.5, 0, 3], [0, 0.5, 4], [0, 0, 1]])
    crop = dict(type='RandomResizedCrop', scale=8)
    results = dict(img=ramp(), homography_matrix=before)
    np.random.seed(0)
    after = ContrastViews([[crop]])(dict(results))['homography_matrix'][0]
    np.random.seed(0)
    alone = ContrastViews([[crop]])(dict(img=ramp()))['homography_matrix'][0]
    assert np.allclose(after, alone @ before)


def test_jigsaw_patches_and_their_homographies() -> None:
    view = JigsawView()
    np.random.seed(1)
    corners = []
    for _ in range(60):
        crop = view.crop
        results = view(dict(img=ramp()))
        matrices = results['homography_matrix']
        assert results['img'].shape == (9, 64, 64, 3)
        assert matrices.shape == (9, 3, 3)
        for img, matrix in zip(results['img'], matrices):
            assert_positions(img, matrix, margin=6)
        # One crop, one scale: the patches differ by where they are cut.
        assert np.ptp(matrices[:, :2, :2], axis=0).max() == 0
        scale = np.abs(matrices[0, [0, 1], [0, 1]])
        area = (255 / scale).prod() / (120 * 160)
        assert crop.crop_ratio_range[0] - 0.02 < area <= 1
        # Patch i is its own cell moved by at most 85 - 64, raster order.
        offset = matrices[4, :2, 2] - matrices[:, :2, 2]
        corners.append(offset)
    rows, columns = np.divmod(np.arange(9), 3)
    cells = 85 * np.stack([columns - 1, rows - 1], axis=1)
    moved = np.array(corners) - cells
    assert np.abs(np.delete(moved, 4, axis=1)).max() == pytest.approx(21)
    # The difference of two uniform draws of 0 to 21: triangular.
    assert np.delete(moved, 4, axis=1).std() == pytest.approx(np.sqrt(2 * (22**2 - 1) / 12), 0.08)


def test_jigsaw_patches_are_augmented_independently() -> None:
    # A flat image: patches differ by color alone.
    img = np.full((100, 100, 3), (60, 120, 200), np.uint8)
    np.random.seed(0)
    local = piece('detco', 'detco_jigsaw')
    patches = TRANSFORMS.build(local)(dict(img=img))['img']
    means = patches.mean((1, 2))
    assert len({tuple(mean) for mean in means}) >= 7
    np.random.seed(0)
    gray = [
        (TRANSFORMS.build(local)(dict(img=img))['img'].std(-1) == 0).all((1, 2)) for _ in range(80)
    ]
    assert np.mean(gray) == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(
    'file, shapes',
    [
        ('mocov2', [(3, 224, 224)] * 2),
        ('byol', [(3, 224, 224)] * 2),
        ('detco', [(3, 224, 224)] * 2 + [(9, 3, 64, 64)] * 2),
    ],
)
def test_shipped_pipelines_go_through_the_stock_preprocessor(
    file: str, shapes: list[tuple[int, ...]], bccd_root: Path
) -> None:
    paths = [str(p) for p in sorted((bccd_root / 'images').glob('*.jpg'))[:2]]
    pipeline = Compose([piece(file, 'read_image'), *view_steps(file)])
    np.random.seed(0)
    packed = [pipeline(dict(img_path=path)) for path in paths]
    for one, path in zip(packed, paths):
        assert [tuple(view.shape) for view in one['inputs']] == shapes
        assert all(v.dtype == torch.uint8 and v.is_contiguous() for v in one['inputs'])
        sample = one['data_samples']
        assert sample.img_path == path
        assert [m.shape for m in sample.homography_matrix] == [(*s[:-3], 3, 3) for s in shapes]
    is_rgb = file == 'detco'
    settings = dict(bgr_to_rgb=not is_rgb)
    preprocessor = SelfSupDataPreprocessor(mean=MEAN, std=STD, **settings)
    batches, samples = preprocessor(default_collate(packed), training=True)
    assert [sample.img_path for sample in samples] == paths
    for i, batch in enumerate(batches):
        assert tuple(batch.shape) == (2, *shapes[i])
        raw = torch.stack([one['inputs'][i] for one in packed]).float()
        rgb = raw if is_rgb else raw.flip(1)
        channels = torch.tensor([MEAN, STD]).view(2, 3, 1, 1)
        assert torch.allclose(batch, (rgb - channels[0]) / channels[1], atol=1e-5)


def test_packing_keeps_pixels_in_their_place() -> None:
    rng = np.random.default_rng(0)
    img, patches = (rng.integers(0, 256, s, dtype=np.uint8) for s in ((5, 7, 3), (9, 4, 6, 3)))
    sides = [(5, 7), (4, 6)]
    results = dict(img=[img, patches], img_shape=sides, img_path='a.jpg', ignored=1)
    packed = PackViews(to_rgb=True)(results)
    assert np.array_equal(packed['inputs'][0], img[..., ::-1].transpose(2, 0, 1))
    assert np.array_equal(packed['inputs'][1], patches[..., ::-1].transpose(0, 3, 1, 2))
    assert packed['data_samples'].metainfo == dict(img_path='a.jpg', img_shape=sides)
    bgr = PackViews()(dict(img=[img[:, ::-1]]))['inputs'][0]
    assert np.array_equal(bgr, img[:, ::-1].transpose(2, 0, 1))


@pytest.mark.parametrize('file', ['mocov2', 'byol', 'detco'])
def test_the_same_seed_gives_the_same_views(file: str, photos: list[np.ndarray]) -> None:
    transforms = Compose(view_steps(file))
    before = photos[0].copy()
    runs = []
    for seed in (3, 3, 4):
        np.random.seed(seed)
        runs.append(transforms(dict(img=photos[0])))
    first, again, other = (run['inputs'] for run in runs)
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert not any(torch.equal(a, b) for a, b in zip(first, other))
    matrices = [run['data_samples'].homography_matrix for run in runs]
    assert all(np.array_equal(a, b) for a, b in zip(matrices[0], matrices[1]))
    # Views of one image do not touch it, nor are they alike.
    assert np.array_equal(photos[0], before)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize('file', ['mocov2', 'byol', 'detco'])
def test_extreme_levels_saturate_and_nothing_overflows(file: str) -> None:
    img = np.zeros((40, 50, 3), np.uint8)
    img[::2, ::3] = 255
    img[1::2, :, 1] = 254
    transforms = Compose(view_steps(file))
    np.random.seed(0)
    with warnings.catch_warnings(), np.errstate(all='raise'):
        warnings.simplefilter('error')
        for level in (img, np.zeros_like(img), np.full_like(img, 255)):
            for _ in range(20):
                for view in transforms(dict(img=level))['inputs']:
                    assert view.dtype == torch.uint8
    # Brighter white stays white and darker black black, in every channel.
    white = np.full((8, 8, 3), 255, np.uint8)
    jitter = dict(type='mmpixcon.ColorJitter', contrast=0, saturation=0.4, hue=0.1, prob=1.0)
    for _ in range(30):
        level = TRANSFORMS.build(dict(jitter, brightness=0.4))(dict(img=white))['img']
        assert level.min() >= 0.6 * 255 - 1
        assert TRANSFORMS.build(jitter)(dict(img=np.zeros_like(white)))['img'].max() == 0


def resized_without_record(results: dict) -> dict:
    """A step that keeps no record."""
    return dict(results, img=results['img'][::2])


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: ContrastViews([]), 'views: must be a list with the transforms'),
        (lambda: ContrastViews([[], []]), 'views: must be a list with the transforms'),
        (lambda: ContrastViews([[dict(type='mmdet.Expand')]]), r'views\.0: Expand moves pixels'),
        (lambda: JigsawView(crop=dict(scale=256)), 'multiple of grid .* got 256 x 256'),
        (lambda: JigsawView(patch=86), 'at least grid'),
        (lambda: JigsawView(transforms=[dict(type='mmdet.RandomShift')]), 'RandomShift moves'),
        (lambda: RandomResizedCrop(8, flip_prob=2), r'flip_prob must be in \[0, 1\]'),
        (lambda: RandomResizedCrop(8, backend='torch', interpolation='area'), "use backend 'cv2'"),
        (
            lambda: ContrastViews([[resized_without_record]])(dict(img=ramp())),
            r'views\.0: the image was resized without',
        ),
        (
            lambda: JigsawView(transforms=[dict(type='RandomResizedCrop', scale=32)])(
                dict(img=ramp())
            ),
            'must keep the size of a patch, 64 x 64',
        ),
        (lambda: PackViews()(dict(img=[np.zeros((9, 4, 4, 3), np.uint8)])), 'set to_rgb=True here'),
        (lambda: PackViews()(dict(img=[np.zeros((4, 4, 3))])), 'leave normalization to'),
        (lambda: PackViews()(dict(img=[np.zeros((4, 4), np.uint8)])), r'must be uint8 \(H, W, 3\)'),
    ],
)
def test_errors_say_what_to_do(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_view_without_geometry_has_the_identity() -> None:
    results = ContrastViews([dict(type='ColorJitter')])(dict(img=ramp()))
    assert np.array_equal(results['homography_matrix'][0], np.eye(3))
    assert results['img_shape'] == [(120, 160)]
