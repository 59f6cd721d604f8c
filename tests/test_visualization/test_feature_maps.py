"""Attention maps and retrieval of checkpoints of any kind."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import mmdet
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.registry import init_default_scope
from mmengine.utils import digit_version

from mmpixcon.apis.backbones import find_images, load_backbone, read_square
from mmpixcon.registry import MODELS, TRANSFORMS
from mmpixcon.visualization.feature_maps import (
    affinity_map,
    attention_map,
    color_affinity,
    mark_point,
    overlay,
)
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool

STOCK = CONFIGS / 'stock' / 'faster-rcnn_r18_fpn_1xb8-12e_scenes.py'
PIXCON = CONFIGS / 'pixcon' / 'pixcon_faster-rcnn_r18_fpn_1xb8-12e_scenes.py'


def test_attention_is_the_mean_over_channels():
    feature = torch.randn(5, 2, 3)
    mean = feature.numpy().mean(0)
    expected = (mean - mean.min()) / (mean.max() - mean.min())
    np.testing.assert_allclose(attention_map(feature, (2, 3)), expected, atol=1e-6)
    large = attention_map(feature, (8, 12))
    assert large.shape == (8, 12) and large.min() >= 0 and large.max() <= 1
    # Half-pixel centres: the corners are the corner cells.
    np.testing.assert_allclose(large[0, 0], expected[0, 0], atol=1e-6)
    assert not attention_map(torch.ones(5, 2, 3), (4, 4)).any()


def test_overlay_is_red_where_active():
    image = np.full((2, 2, 3), 100, np.uint8)
    heat = np.array([[0.0, 1.0], [0.5, 1.0]])
    blue, _, red = overlay(image, heat)[0, 1].tolist()
    assert red > blue
    blue, _, red = overlay(image, heat)[0, 0].tolist()
    assert blue > red
    assert np.array_equal(overlay(image, heat, strength=0.0), image)


def test_affinity_is_the_cosine_to_the_cell_of_the_point():
    feature = torch.randn(5, 4, 6)
    actual = affinity_map(feature, (0.6, 0.3), cells=8)
    large = torch.nn.functional.interpolate(feature[None], (8, 8), mode='bilinear')[0].numpy()
    # 0.6 * 8 = 4.8 and 0.3 * 8 = 2.4: row 2, column 4.
    anchor = large[:, 2, 4]
    for row, column in [(0, 0), (2, 4), (7, 3)]:
        other = large[:, row, column]
        cosine = anchor @ other / np.linalg.norm(anchor) / np.linalg.norm(other)
        assert actual[row, column] == pytest.approx(cosine, abs=1e-5)
    assert actual[2, 4] == pytest.approx(1, abs=1e-6)
    # The last pixel is in the last cell.
    assert affinity_map(feature, (1.0, 1.0), cells=8)[7, 7] == pytest.approx(1, abs=1e-6)
    with pytest.raises(ValueError, match=r'point = \(1\.5, 0\.0\) must be shares'):
        affinity_map(feature, (1.5, 0.0))


def test_affinities_are_brighter_where_more_alike():
    drawn = color_affinity(np.array([[0.2, 0.9], [0.5, 0.2]]), (2, 2)).astype(int).sum(2)
    assert drawn[0, 1] > drawn[1, 0] > drawn[0, 0] == drawn[1, 1]
    flat = color_affinity(np.full((2, 2), 0.7), (4, 6))
    assert flat.shape == (4, 6, 3) and len(np.unique(flat.reshape(-1, 3), axis=0)) == 1


def test_a_point_is_circled_in_red():
    image = np.zeros((40, 80, 3), np.uint8)
    drawn = mark_point(image, (0.5, 0.5))
    rows, columns = np.nonzero(drawn[..., 2])
    assert abs(rows.mean() - 20) < 1 and abs(columns.mean() - 40) < 1
    assert not drawn[..., :2].any() and not image.any()


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """Checkpoints of the stock detector, of PixCon's and of the backbone alone."""
    folder = tmp_path_factory.mktemp('checkpoints')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(PIXCON).model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), folder / 'pixcon.pth')
    torch.save(dict(state_dict=model.detector.state_dict()), folder / 'stock.pth')
    torch.save(model.detector.backbone.state_dict(), folder / 'backbone.pth')
    return folder, model.detector.eval()


@pytest.mark.parametrize('name', ['pixcon', 'stock', 'backbone'])
@pytest.mark.parametrize('config', [STOCK, PIXCON], ids=['stock', 'pixcon'])
def test_the_backbone_of_any_checkpoint(name, config, saved, scenes_root):
    folder, detector = saved
    loaded = load_backbone(config, folder / f'{name}.pth')
    assert not loaded.backbone.training
    image = cv2.imread(str(find_images([scenes_root / 'train'])[0]))
    mean, std = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    rgb = (image[..., ::-1] - np.array(mean)) / np.array(std)
    with torch.no_grad():
        expected = detector.backbone(torch.from_numpy(rgb).float().permute(2, 0, 1)[None])
    for a, b in zip(loaded.maps(image[None]), expected):
        torch.testing.assert_close(a, b)


# One of each kind of checkpoint: pretrained backbones, pretrained detectors, wrapped ones.
KINDS = [
    *('moco/mocov2_r18_1xb32-100e_scenes', 'detco/detco_r18_1xb32-100e_scenes'),
    *('plrc/plrc_r18_1xb32-100e_scenes', 'vicreg/vicreg_r18_1xb32-100e_scenes'),
    'barlow_twins/barlowtwins_r18_1xb32-100e_scenes',
    'siamese_detr/siamese-detr_deformable-detr_r18_1xb8-50e_scenes',
    *('updetr/updetr_detr_r18_1xb8-50e_scenes', 'detreg/detreg_detr_r18_1xb8-50e_scenes'),
    *('dn_detr/dn-detr_r18_1xb8-12e_scenes', 'pixcon/pixcon_dino_r18_1xb8-12e_scenes'),
    'segmentation/query-mask_detr_r18_1xb8-6e_scenes',
    'transfer/detr_r18_box-head_1xb8-12e_scenes',
]


@pytest.mark.slow
@pytest.mark.parametrize('name', KINDS)
def test_the_backbone_of_every_kind_of_checkpoint(name, tmp_path):
    """It sees images as in training: the same size, mean, deviation and order of channels."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    init_default_scope(cfg.default_scope)
    cfg.model.get('detector', cfg.model).backbone.init_cfg = None
    torch.manual_seed(3)
    model = MODELS.build(cfg.model).eval()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    inner = getattr(model, 'detector', model)
    if hasattr(inner, 'bbox_head'):
        planes = torch.from_numpy(image).permute(2, 0, 1)
        # Of branches, the one for each of them.
        preprocessor = getattr(model.data_preprocessor, 'data_preprocessor', None)
        inputs = (preprocessor or model.data_preprocessor)(dict(inputs=[planes]))['inputs']
    else:
        pack = TRANSFORMS.build(cfg.train_dataloader.dataset.pipeline[-1])
        views = pack(dict(img=[image, image]))['inputs']
        data = dict(inputs=[view[None] for view in views], data_samples=[])
        inputs = model.data_preprocessor(data)[0][0]
    loaded = load_backbone(CONFIGS / f'{name}.py', tmp_path / 'model.pth')
    actual, expected = loaded.maps(image[None]), inner.backbone(inputs)
    assert len(actual) == len(expected) > 0
    for a, b in zip(actual, expected):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'prefix'),
    [
        ('retinanet/retinanet_r18_fpn_1x_coco', 'backbone.'),
        ('faster_rcnn/faster-rcnn_r50-caffe-c4_ms-1x_coco', 'backbone.'),
        ('swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco', 'backbone.'),
        ('ssd/ssd300_coco', 'backbone.'),
        ('soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco', None),
    ],
)
def test_the_backbone_of_a_checkpoint_of_mmdet(name, prefix, tmp_path, monkeypatch):
    config = Path(mmdet.__file__).parent / '.mim' / 'configs' / f'{name}.py'
    cfg = Config.fromfile(config).model
    cfg = cfg.get('detector', cfg)
    torch.manual_seed(3)
    backbone = MODELS.build(dict(cfg.backbone, init_cfg=None))
    backbone.eval()
    weights = backbone.state_dict()
    # Of semi-supervised detectors the teacher predicts; the student comes first.
    other = {f'student.backbone.{key}': torch.zeros_like(value) for key, value in weights.items()}
    state = {} if prefix else other
    state |= {f'{prefix or "teacher.backbone."}{key}': value for key, value in weights.items()}
    # With what mmengine's runner adds, which newer torch loads on request only.
    hub = dict(log_scalars=dict(loss=HistoryBuffer([1.0], [1])))
    torch.save(dict(meta=dict(epoch=1), state_dict=state, message_hub=hub), tmp_path / 'a.pth')
    if digit_version(torch.__version__) >= digit_version('2.6'):
        with pytest.raises(RuntimeError, match='TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1'):
            load_backbone(config, tmp_path / 'a.pth')
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    loaded = load_backbone(config, tmp_path / 'a.pth')
    image = np.random.default_rng(0).integers(0, 256, (320, 320, 3), np.uint8)
    pixels = image[..., ::-1] if cfg.data_preprocessor.bgr_to_rgb else image
    pixels = (pixels - np.array(cfg.data_preprocessor.mean)) / np.array(cfg.data_preprocessor.std)
    with torch.no_grad():
        expected = backbone(torch.from_numpy(pixels).float().permute(2, 0, 1)[None])[-1]
    actual = loaded.maps(image[None])[-1]
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-3)
    assert affinity_map(actual[0], (0.5, 0.5), 8).shape == (8, 8)


def test_what_is_missing_is_named(saved, tmp_path, scenes_root):
    folder, _ = saved
    with pytest.raises(FileNotFoundError, match=r'config nowhere\.py does not exist'):
        load_backbone('nowhere.py', folder / 'stock.pth')
    with pytest.raises(FileNotFoundError, match=r'checkpoint nowhere\.pth does not exist'):
        load_backbone(STOCK, 'nowhere.pth')
    torch.save(dict(other=torch.zeros(1)), tmp_path / 'other.pth')
    with pytest.raises(RuntimeError, match=r'other\.pth'):
        load_backbone(STOCK, tmp_path / 'other.pth')
    (tmp_path / 'empty.py').write_text('model = dict()')
    with pytest.raises(KeyError, match=r'neither model\.backbone nor'):
        load_backbone(tmp_path / 'empty.py', folder / 'stock.pth')
    with pytest.raises(FileNotFoundError, match='no images in'):
        find_images([folder])
    (tmp_path / 'broken.jpg').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'broken\.jpg cannot be read as an image'):
        read_square(tmp_path / 'broken.jpg', 32)
    assert len(find_images([scenes_root / 'train'], limit=3)) == 3


@pytest.mark.slow
@pytest.mark.parametrize('tool', ['affinity_map', 'attention_maps', 'retrieval'])
def test_tools_draw(tool, saved, scenes_root, tmp_path):
    folder, _ = saved
    script = ROOT / 'tools' / 'analysis_tools' / f'{tool}.py'
    out = tmp_path / 'out' / 'picture.png'
    command = [script, scenes_root / 'train', '--size', 64]
    if tool == 'retrieval':
        extra = ['--config', STOCK, '--checkpoint', folder / 'stock.pth', '--queries', '2']
    else:
        extra = [
            *('--model', f'stock={STOCK},{folder / "stock.pth"}'),
            *('--model', f'PixCon={PIXCON},{folder / "pixcon.pth"}', '--num', '2'),
        ]
    if tool == 'affinity_map':
        extra += ['--point', '0.5', '0.5', '--cells', '8']
    status, printed, error = run_tool(*command, '--out', out, *extra)
    assert status == 0, error[-2000:]
    assert printed.count('PixCon: ') == (2 if tool == 'affinity_map' else 0)
    height, width = cv2.imread(str(out)).shape[:2]
    assert width > height > 300


@pytest.mark.slow
def test_levels_of_a_neck(saved, scenes_root, tmp_path):
    folder, _ = saved
    out = tmp_path / 'levels.png'
    pictures = []
    for config, name in ((PIXCON, 'pixcon'), (STOCK, 'stock')):
        status, _, error = run_tool(
            *(ROOT / 'tools/analysis_tools/fpn_maps.py', scenes_root / 'train', config),
            *(folder / f'{name}.pth', '--num', 2, '--out', out),
        )
        assert status == 0, error[-2000:]
        pictures.append(cv2.imread(str(out)))
    # The same weights, wrapped or not.
    assert np.array_equal(*pictures)
    levels = len(Config.fromfile(STOCK).model.neck.in_channels)
    height, width = cv2.imread(str(out)).shape[:2]
    # A column a level and one of the image, 240 pixels each.
    assert width >= 240 * (1 + levels) and height > 400


@pytest.mark.slow
def test_cross_correlation_of_a_checkpoint(scenes_root, tmp_path):
    config = CONFIGS / 'vicreg' / 'vicreg_r18_1xb32-100e_scenes.py'
    init_default_scope('mmselfsup')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    out = tmp_path / 'matrix.png'
    status, printed, error = run_tool(
        *(ROOT / 'tools/analysis_tools/cross_correlation.py', config, tmp_path / 'model.pth'),
        *('--data-root', scenes_root, '--images', 12, '--out', out),
    )
    assert status == 0, error[-2000:]
    numbers = dict(re.findall(r'^(\w+): ([\d.-]+)$', printed, re.MULTILINE))
    # 12 embeddings, centered, span 11 dimensions at most.
    assert 1 < float(numbers['effective_rank']) <= 11
    assert -1 <= float(numbers['diagonal_mean']) <= 1
    assert 0 < float(numbers['off_diagonal_rms']) <= 1
    assert cv2.imread(str(out)).shape == (512, 512, 3)
    # Without its projector, embeddings would be those of random weights.
    torch.save(dict(state_dict=model.backbone.state_dict()), tmp_path / 'backbone.pth')
    status, _, error = run_tool(
        *(ROOT / 'tools/analysis_tools/cross_correlation.py', config, tmp_path / 'backbone.pth'),
        *('--data-root', scenes_root, '--images', 12, '--out', out),
    )
    assert status != 0 and 'the others would keep random values' in error
