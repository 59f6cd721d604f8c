"""QuerySegmentor on small versions of mmdet's detection transformers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import load_state_dict as mmengine_load
from mmengine.structures import InstanceData

from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS

STOCK = {
    'detr': 'detr/detr_r50_8xb2-150e_coco.py',
    'conditional': 'conditional_detr/conditional-detr_r50_8xb2-50e_coco.py',
    'dab': 'dab_detr/dab-detr_r50_8xb2-50e_coco.py',
    'deformable': 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    'two-stage': 'deformable_detr/deformable-detr-refine-twostage_r50_16xb2-50e_coco.py',
    'dino': 'dino/dino-4scale_r50_8xb2-12e_coco.py',
    'dn': CONFIGS / 'dn_detr' / 'dn-detr_r50_4xb3-50e_coco.py',
    'dn-deformable': CONFIGS / 'dn_detr' / 'dn-deformable-detr_r50_4xb3-50e_coco.py',
}
INPUT = (96, 128)
SHAPES = ((96, 100), (80, 128))


def small_detector(name):
    """A stock detector with fewer layers, channels and queries."""
    source = STOCK[name]
    cfg = (
        get_config(f'mmdet::{source}') if isinstance(source, str) else Config.fromfile(source)
    ).model
    cfg.update(num_queries=20, test_cfg=dict(max_per_img=12))
    cfg.backbone.update(depth=18, base_channels=16, frozen_stages=-1, norm_eval=False)
    # Batch norm that would learn and count, were it not frozen.
    cfg.backbone.update(norm_cfg=dict(type='BN', requires_grad=True), init_cfg=None)
    cfg.neck.in_channels = [channels // 16 for channels in cfg.neck.in_channels]
    cfg.encoder.num_layers = 1
    cfg.decoder.num_layers = 2
    cfg.bbox_head.num_classes = 4
    return cfg


def make_model(name, **options):
    torch.manual_seed(0)
    cfg = dict(type='mmpixcon.QuerySegmentor', detector=small_detector(name))
    model = MODELS.build(cfg | options)
    model.init_weights()
    # Statistics and outputs that are not those of a fresh model.
    for module in model.detector.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    return model.train()


@pytest.fixture(params=STOCK)
def model(request):
    return make_model(request.param)


def make_samples(counts=(3, 2), mask_type=BitmapMasks):
    """Images, padded to one size, with ellipses as objects."""
    rng = np.random.default_rng(0)
    samples = []
    for (height, width), count in zip(SHAPES, counts):
        centres = rng.uniform(0.3, 0.7, (count, 2)) * (width, height)
        radii = rng.uniform(0.1, 0.3, (count, 2)) * (width, height)
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        circle = np.stack([np.cos(angles), np.sin(angles)], 1)
        outlines = centres[:, None] + radii[:, None] * circle
        masks = PolygonMasks([[outline.ravel()] for outline in outlines], height, width)
        if mask_type is BitmapMasks:
            masks = BitmapMasks(masks.to_ndarray().astype(np.uint8), height, width)
        boxes = np.concatenate([centres - radii, centres + radii], 1)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(height, width),
                batch_input_shape=INPUT,
                pad_shape=INPUT,
                ori_shape=(height * 2, width * 2),
                scale_factor=(0.5, 0.5),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            labels=torch.tensor(rng.integers(4, size=count)),
            masks=masks,
        )
        samples.append(sample)
    images = torch.zeros(2, 3, *INPUT)
    for image, (height, width) in zip(images, SHAPES):
        image[:, :height, :width] = torch.randn(3, height, width)
    return images, samples


def run_stock(model, images, samples):
    """Last layer of the stock detector: hidden states, class logits, boxes; memory."""
    stock = MODELS.build(copy.deepcopy(model.detector_cfg)).eval()
    stock.load_state_dict(model.detector.state_dict())
    actual = {}
    stock.encoder.register_forward_hook(lambda m, a, out: actual.update(memory=out))
    with torch.no_grad():
        features = stock.extract_feat(images)
        inputs = stock.forward_transformer(features, samples)
        scores, boxes = stock.bbox_head(**inputs)
    return stock, inputs['hidden_states'][-1], scores[-1], boxes[-1], actual['memory'], features


def dice(logits, mask):
    """``1 - (2 p.m + 1) / (sum p + sum m + 1)`` of one object, in float64."""
    p, m = logits.double().sigmoid(), mask.double()
    return 1 - (2 * (p * m).sum() + 1) / (p.sum() + m.sum() + 1)


def enlarge(logits, size):
    return F.interpolate(logits[:, None], size, mode='bilinear', align_corners=False)[:, 0]


def all_logits(model, images, samples):
    """Logits of all queries, put together from the stock detector's parts."""
    stock, hidden, scores, boxes, memory, features = run_stock(model, images, samples)
    x = stock.backbone.maxpool(
        stock.backbone.relu(stock.backbone.norm1(stock.backbone.conv1(images)))
    )
    maps = []
    for name in ('layer1', 'layer2', 'layer3'):
        x = getattr(stock.backbone, name)(x)
        maps.insert(0, x)
    sizes = [f.shape[2:].numel() for f in features]
    level = 2 if len(features) == 4 else 0
    start = sum(sizes[:level])
    h, w = features[level].shape[2:]
    assert h == maps[0].shape[2] // 2
    memory = memory[:, start : start + h * w].transpose(1, 2).reshape(2, -1, h, w)
    stride = INPUT[0] // h
    padding = torch.zeros(2, h, w, dtype=torch.bool)
    for image, (height, width) in zip(padding, SHAPES):
        image[torch.arange(h) * stride >= height] = True
        image[:, torch.arange(w) * stride >= width] = True
    with torch.no_grad():
        logits = model.mask_head(list(hidden), memory, maps, padding)
    return stock, scores, boxes, logits


def test_the_level_that_the_first_map_doubles(model):
    levels = getattr(model.detector, 'num_feature_levels', 1)
    assert model.memory_level == (2 if levels == 4 else 0)
    assert model.mask_head.fpn_channels == (64, 32, 16)
    assert model.mask_head.in_channels == 256


def test_loss_is_dice_of_what_the_detectors_assigner_matches(model):
    images, samples = make_samples()
    loss = model.loss(images, copy.deepcopy(samples))
    assert set(loss) == {'loss_mask'}
    stock, scores, boxes, logits = all_logits(model, images, samples)
    total = []
    for i, sample in enumerate(samples):
        truth = sample.gt_instances
        _, _, targets, _, matched, _ = stock.bbox_head._get_targets_single(
            scores[i], boxes[i], truth, sample.metainfo
        )
        assert len(matched) == len(truth)
        height, width = sample.img_shape
        for query in matched.tolist():
            cx, cy, w, h = (targets[query] * torch.tensor([width, height, width, height])).tolist()
            box = torch.tensor([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
            one = (truth.bboxes - box).abs().sum(1).argmin()
            mask = torch.zeros(INPUT)
            mask[:height, :width] = torch.from_numpy(truth.masks.masks[one])
            total.append(dice(enlarge(logits[i][query : query + 1], INPUT)[0], mask))
    assert len(total) == 5
    torch.testing.assert_close(loss['loss_mask'].double(), sum(total) / 5, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('rescale', [True, False])
def test_boxes_are_the_stock_detectors_and_masks_those_of_their_queries(model, rescale):
    model.eval()
    images, samples = make_samples()
    actual = model.predict(images, copy.deepcopy(samples), rescale=rescale)
    stock, scores, _, logits = all_logits(model, images, samples)
    with torch.no_grad():
        expected = model.detector.predict(images, copy.deepcopy(samples), rescale=rescale)
    for i, (one, other) in enumerate(zip(actual, expected)):
        one, other = one.pred_instances, other.pred_instances
        for key in ('bboxes', 'scores', 'labels'):
            assert torch.equal(one[key], other[key]), key
        if stock.bbox_head.loss_cls.use_sigmoid:
            queries = scores[i].sigmoid().flatten().topk(12).indices // 4
        else:
            queries = scores[i].softmax(-1)[:, :4].max(-1).values.topk(12).indices
        assert len(queries.unique()) > 1
        height, width = SHAPES[i]
        masks = enlarge(logits[i][queries], INPUT)[:, :height, :width]
        if rescale:
            masks = enlarge(masks, (height * 2, width * 2))
        sure = masks.abs() > 1e-4
        assert sure.float().mean() > 0.99
        assert one.masks.dtype == torch.bool
        assert torch.equal(one.masks[sure], (masks > 0)[sure])


@pytest.mark.slow
def test_only_the_mask_head_learns(model):
    images, samples = make_samples()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optim_wrapper = OptimWrapper(optimizer)
    for _ in range(2):
        model.train()
        losses = model.loss(images, copy.deepcopy(samples))
        optim_wrapper.update_params(model.parse_losses(losses)[0])
    for name, value in model.state_dict().items():
        same = torch.equal(value, before[name])
        assert same != name.startswith('mask.'), name
    assert not any(module.training for module in model.detector.modules())
    assert {id(p) for p in optimizer.state} == {id(p) for p in model.mask_head.parameters()}


@pytest.mark.slow
def test_the_head_learns_a_mask_for_each_object():
    model = make_model('detr')
    images, samples = make_samples()
    optimizer = torch.optim.AdamW(model.mask_head.parameters(), lr=2e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = model.loss(images, copy.deepcopy(samples))['loss_mask']
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_denoising_queries_stay_out():
    model = make_model('dino')
    images, samples = make_samples()
    seen = model._observe(images, samples, rescale=False)
    assert seen.queries.shape == (2, 20, 256)
    # In training mode it would have put some in front.
    model.detector.train()
    inputs = model.detector.forward_transformer(model.detector.extract_feat(images), samples)
    assert inputs['hidden_states'].shape[2] > 20


def test_an_image_without_boxes():
    model = make_model('detr')
    images, samples = make_samples(counts=(3, 0))
    loss = model.loss(images, copy.deepcopy(samples))['loss_mask']
    _, scores, boxes, logits = all_logits(model, images, samples)
    matching = model.detector.bbox_head.assigner.assign(
        InstanceData(scores=scores[0], bboxes=_in_pixels(boxes[0], SHAPES[0])),
        samples[0].gt_instances,
        samples[0].metainfo,
    )
    masks = samples[0].gt_instances.masks.pad(INPUT).masks
    pairs = [(q, int(t) - 1) for q, t in enumerate(matching.gt_inds) if t > 0]
    large = enlarge(logits[0], INPUT)
    expected = sum(dice(large[q], torch.from_numpy(masks[t])) for q, t in pairs) / 3
    torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=1e-5)


def _in_pixels(boxes, shape):
    (cx, cy, w, h), (height, width) = boxes.T, shape
    sides = [(cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width]
    return torch.stack([*sides, (cy + h / 2) * height], 1)


def test_a_batch_without_boxes_is_a_zero_with_gradients():
    model = make_model('deformable')
    images, samples = make_samples(counts=(0, 0))
    loss = model.loss(images, samples)['loss_mask']
    assert loss.item() == 0
    loss.backward()
    for name, parameter in model.mask_head.named_parameters():
        assert parameter.grad is not None and not parameter.grad.any(), name


def test_polygons_do_as_well():
    model = make_model('detr')
    losses = []
    for mask_type in (BitmapMasks, PolygonMasks):
        torch.manual_seed(0)
        losses.append(model.loss(*make_samples(mask_type=mask_type))['loss_mask'].item())
    assert losses[0] == losses[1] > 0


def test_the_loss_is_averaged_over_the_objects_of_all_processes(monkeypatch):
    model = make_model('detr')
    images, samples = make_samples()
    alone = model.loss(images, copy.deepcopy(samples))['loss_mask']
    seen = []
    # The other process has no objects: 2.5 on average.
    monkeypatch.setattr(
        'mmpixcon.models.detectors.query_segmentor.reduce_mean',
        lambda count: seen.append(count.item()) or count / 2,
    )
    shared = model.loss(images, copy.deepcopy(samples))['loss_mask']
    torch.testing.assert_close(shared, alone * 2)
    model.loss(*make_samples(counts=(0, 0)))
    # A process without objects takes part, else the others would wait.
    assert seen == [5, 0]


def test_checkpoints_are_the_stock_detectors():
    model = make_model('two-stage')
    stock = MODELS.build(copy.deepcopy(model.detector_cfg))
    own = model.state_dict()
    assert {name for name in own if not name.startswith('mask.')} == set(stock.state_dict())
    stock.load_state_dict({k: v for k, v in own.items() if not k.startswith('mask.')})
    other = make_model('two-stage')
    for p in other.detector.parameters():
        p.data.zero_()
    head = {k: v.clone() for k, v in other.mask_head.state_dict().items()}
    result = other.load_state_dict(copy.deepcopy(stock.state_dict()), strict=False)
    assert not result.unexpected_keys
    assert all(key.startswith('mask_head.') for key in result.missing_keys)
    for name, value in other.state_dict().items():
        expected = head[name[15:]] if name.startswith('mask.mask_head.') else own[name]
        assert torch.equal(value, expected), name
    mmengine_load(other, own)
    for name, value in other.state_dict().items():
        assert torch.equal(value, own[name]), name


def test_a_checkpoint_of_pixel_contrast_fits():
    pixcon = MODELS.build(
        dict(type='mmpixcon.PixelContrastDetector', detector=small_detector('deformable'))
    )
    # The stock detector leaves its level embedding unset until here: any bits, NaN among them.
    pixcon.init_weights()
    model = make_model('deformable')
    model.load_state_dict(copy.deepcopy(pixcon.state_dict()), strict=False)
    trained = pixcon.detector.state_dict()
    for name, value in model.detector.state_dict().items():
        assert torch.equal(value, trained[name]), name


def refuses(match, name='detr', **options):
    with pytest.raises(ValueError, match=match):
        make_model(name, **options)


def test_a_wrong_module_is_named():
    refuses(
        r"fpn_from = \('layer5',\): ResNet has no 'layer5'; it has .*layer1", fpn_from=['layer5']
    )
    refuses(r'fpn_from = \(\): ResNet has no module without a name', fpn_from=[])


def test_a_module_without_a_map_is_refused():
    model = make_model('detr')
    model.fpn_from = ('layer3', 'twice')
    model.detector.backbone.twice = torch.nn.Identity()
    model.detector.backbone.layer2.register_forward_hook(
        lambda module, args, output: model.detector.backbone.twice([output, output]) and None
    )
    with pytest.raises(ValueError, match=r"'twice' of ResNet gives list, not a map"):
        model.loss(*make_samples())


def test_a_wrong_level_is_refused():
    refuses(r'memory_level = 4: the encoder of DeformableDETR has 4', 'deformable', memory_level=4)
    assert make_model('deformable', memory_level=-1).memory_level == 3


def test_wrong_channels_are_refused():
    head = dict(type='mmpixcon.QueryMaskHead', fpn_channels=(1024, 512, 256))
    refuses(r'fpn_channels = .*1024.* gives \(64, 32, 16\)', mask_head=head)
    head = dict(type='mmpixcon.QueryMaskHead', in_channels=128)
    refuses(r'in_channels = 128, .* gives 256', mask_head=head)
    head = dict(type='mmpixcon.QueryMaskHead', in_channels=256, fpn_channels=[64, 32, 16])
    assert make_model('detr', mask_head=head).mask_head.fpn_channels == (64, 32, 16)


def test_a_detector_without_queries_is_refused():
    cfg = get_config('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py').model
    cfg.backbone.update(depth=18, init_cfg=None)
    cfg.neck.in_channels = [64, 128, 256, 512]
    with pytest.raises(ValueError, match='FasterRCNN has no object queries'):
        MODELS.build(dict(type='mmpixcon.QuerySegmentor', detector=cfg))


def test_a_detector_without_assigner_is_refused():
    cfg = small_detector('detr')
    cfg.train_cfg = None
    with pytest.raises(ValueError, match=r'model\.detector\.train_cfg: DETR has no assigner'):
        MODELS.build(dict(type='mmpixcon.QuerySegmentor', detector=cfg))


def test_data_without_masks_is_refused():
    images, samples = make_samples()
    del samples[1].gt_instances.masks
    with pytest.raises(ValueError, match=r'with_mask=True'):
        make_model('detr').loss(images, samples)


def test_masks_of_another_size_are_refused():
    images, samples = make_samples()
    samples[0].gt_instances.masks = samples[0].gt_instances.masks.resize((48, 50))
    with pytest.raises(ValueError, match=r'masks of 48 x 50 for an image of 96 x 100'):
        make_model('detr').loss(images, samples)


def test_padded_masks_are_taken_as_they_are():
    model = make_model('detr')
    images, samples = make_samples()
    expected = model.loss(images, copy.deepcopy(samples))['loss_mask'].item()
    for sample in samples:
        sample.gt_instances.masks = sample.gt_instances.masks.pad(INPUT)
    assert model.loss(images, samples)['loss_mask'].item() == expected


def test_a_head_that_selects_otherwise_is_refused():
    model = make_model('detr').eval()
    head = model.detector.bbox_head
    select = head._predict_by_feat_single

    def by_size(scores, boxes, *args):
        return select(scores + boxes[:, 2:3], boxes, *args)

    head._predict_by_feat_single = by_size
    with pytest.raises(RuntimeError, match='selects detections by more than their scores'):
        model.predict(*make_samples())
