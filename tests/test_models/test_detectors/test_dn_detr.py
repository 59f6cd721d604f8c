"""DN-DETR and DN-Deformable-DETR against dense references and their undenoised selves."""

from __future__ import annotations

import math

import pytest
import torch
from mmdet.models.detectors import DABDETR
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_xyxy_to_cxcywh
from mmengine.config import Config
from mmengine.structures import InstanceData
from torchvision.ops import generalized_box_iou

from mmpixcon.models.layers import DenoisingQueryGenerator
from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS

NAMES = {
    'dn-detr': 'dn-detr_r50_4xb3-50e_coco',
    'dn-detr, 3 patterns': 'dn-detr-3pat_r50_4xb3-50e_coco',
    'dn-detr, dc5': 'dn-detr_r50-dc5_4xb3-50e_coco',
    'dn-deformable-detr': 'dn-deformable-detr_r50_4xb3-50e_coco',
    'dn-deformable-encoder': 'dn-deformable-encoder_r50_4xb3-50e_coco',
    'dn-deformable-encoder, dc5': 'dn-deformable-encoder_r50-dc5_4xb3-50e_coco',
}
CLASSES = 7


def samples(counts, size=(64, 96), seed=0):
    """Samples with random boxes of at least 4 pixels."""
    generator = torch.Generator().manual_seed(seed)
    height, width = size
    batch = []
    for count in counts:
        scale = torch.tensor([width, height, width, height])
        center = torch.rand(count, 2, generator=generator) * 0.4 + 0.3
        side = torch.rand(count, 2, generator=generator) * 0.5 + 0.1
        boxes = torch.cat([center - side / 2, center + side / 2], 1) * scale
        labels = torch.randint(CLASSES, (count,), generator=generator)
        sample = DetDataSample(
            metainfo=dict(img_shape=size, batch_input_shape=size, ori_shape=size, img_path='a.jpg')
        )
        sample.set_metainfo(dict(scale_factor=(1.0, 1.0)))
        sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
        batch.append(sample)
    return batch


def generator(**options):
    settings = dict(num_classes=CLASSES, embed_dims=8, num_matching_queries=4, num_heads=2)
    return DenoisingQueryGenerator(**settings | options)


def small(name, **options):
    """A shipped model with ResNet-18, two layers and few queries."""
    cfg = Config.fromfile(CONFIGS / 'dn_detr' / f'{NAMES[name]}.py').model
    cfg.backbone.update(depth=18, init_cfg=None)
    cfg.neck.in_channels = [channels // 4 for channels in cfg.neck.in_channels]
    cfg.num_queries = 12
    cfg.encoder.num_layers = cfg.decoder.num_layers = 2
    cfg.test_cfg.max_per_img = 10
    cfg.bbox_head.num_classes = CLASSES
    cfg.update(options)
    model = MODELS.build(cfg)
    model.init_weights()
    with torch.no_grad():
        # Zero last layers would hide what a query sees.
        for parameter in model.bbox_head.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def dense_mask(counts, groups, matching):
    """Entry by entry, from the definition: who may not see whom."""
    most = max(counts)
    owner = [(g, b) for g in range(groups) for b in range(most)] + [None] * matching
    masks = []
    for count in counts:
        mask = torch.zeros(len(owner), len(owner), dtype=torch.bool)
        for row, viewer in enumerate(owner):
            for column, seen in enumerate(owner):
                if seen is None:
                    continue
                group, box = seen
                mask[row, column] = viewer is None or viewer[0] != group or box >= count
        masks.append(mask)
    return torch.stack(masks)


@pytest.mark.parametrize('counts', [(3, 1), (2, 2), (0, 3), (0, 0)])
def test_attention_mask(counts):
    mask = generator(num_groups=3)(samples(counts)).mask
    expected = dense_mask(counts, 3, 4)
    assert mask.shape == (4, *expected.shape[1:])
    assert torch.equal(mask[0::2], expected) and torch.equal(mask[1::2], expected)
    # A row without anything to see would be NaN.
    assert not mask.all(-1).any()


def test_without_noise_the_queries_are_the_ground_truth():
    make = generator(num_groups=2, label_noise=0.0, box_noise=0.0)
    batch = samples((3, 1))
    dn = make(batch)
    assert dn.content.shape == (2, 6, 8) and dn.anchors.shape == (2, 6, 4)
    size = torch.tensor([96.0, 64.0, 96.0, 64.0])
    for group in range(2):
        for image, sample in enumerate(batch):
            for box, (xyxy, label) in enumerate(
                zip(sample.gt_instances.bboxes, sample.gt_instances.labels)
            ):
                slot = group * 3 + box
                expected = bbox_xyxy_to_cxcywh(xyxy[None] / size)[0]
                torch.testing.assert_close(dn.anchors[image, slot].sigmoid(), expected)
                content = dn.content[image, slot]
                assert torch.equal(content[:-1], make.label_embedding.weight[label])
                assert content[-1] == 1
    # Padding: no content, the middle of the image.
    padding = [group * 3 + box for group in range(2) for box in (1, 2)]
    assert not dn.content[1, padding].any() and not dn.anchors[1, padding].any()
    targets = dn.targets
    assert targets.num_queries == 6 and len(targets.labels) == 8
    assert targets.labels.tolist() == 2 * [
        label for sample in batch for label in sample.gt_instances.labels.tolist()
    ]


def test_noise_has_the_papers_size_and_rate():
    make = generator(num_classes=4)
    labels = torch.randint(4, (40000,))
    flipped = (make.noisy_labels(labels) != labels).float().mean()
    # 0.2, of which a quarter draws the same class.
    assert flipped.item() == pytest.approx(0.15, abs=0.01)
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.4]]).expand(40000, 4)
    moved = make.noisy_boxes(boxes) - boxes
    reach = torch.tensor([0.1, 0.2, 0.2, 0.4]) * 0.4
    assert (moved.abs() <= reach + 1e-6).all()
    assert (moved.abs().amax(0) > 0.99 * reach).all()
    torch.testing.assert_close(moved.std(0), reach / math.sqrt(3), rtol=0.03, atol=0)
    torch.testing.assert_close(moved.mean(0), torch.zeros(4), rtol=0, atol=2e-3)
    corner = make.noisy_boxes(torch.tensor([[0.99, 0.01, 0.5, 1.0]]).expand(1000, 4))
    assert corner.min() >= 0 and corner.max() <= 1


def test_targets_stay_clean_and_groups_differ():
    batch = samples((2,))
    dn = generator(num_groups=2, label_noise=1.0)(batch)
    size = torch.tensor([96.0, 64.0, 96.0, 64.0])
    clean = bbox_xyxy_to_cxcywh(batch[0].gt_instances.bboxes / size)
    torch.testing.assert_close(dn.targets.boxes, clean.repeat(2, 1))
    assert not torch.equal(dn.anchors[0, :2], dn.anchors[0, 2:])


@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=['f64', 'f32']
)
@pytest.mark.parametrize('counts', [(3, 1), (0, 2)])
def test_denoising_losses_are_the_equations(counts, dtype, tolerance):
    head = small('dn-detr').bbox_head
    dn = generator(num_groups=3)(samples(counts))
    targets = dn.targets._replace(
        boxes=dn.targets.boxes.to(dtype), sizes=dn.targets.sizes.to(dtype)
    )
    D = targets.num_queries
    scores = torch.randn(2, D, CLASSES, dtype=dtype, requires_grad=True)
    raw = torch.randn(2, D, 4, dtype=dtype, requires_grad=True)
    actual = head.loss_dn(scores[None], raw.sigmoid()[None], targets)

    # Box by box, weights 1, 5 and 2, divided by boxes x groups.
    focal, l1, giou = 0.0, 0.0, 0.0
    boxes = raw.sigmoid()
    for k in range(len(targets.labels)):
        n, slot = targets.image[k], targets.slot[k]
        for c in range(CLASSES):
            p = scores[n, slot, c].sigmoid()
            if c == targets.labels[k]:
                focal = focal - 0.25 * (1 - p) ** 2 * p.log()
            else:
                focal = focal - 0.75 * p**2 * (1 - p).log()
        l1 = l1 + (boxes[n, slot] - targets.boxes[k]).abs().sum()
        pair = bbox_cxcywh_to_xyxy(torch.stack([boxes[n, slot], targets.boxes[k]]))
        pair = pair * targets.sizes[k]
        giou = giou + 1 - generalized_box_iou(pair[:1], pair[1:])[0, 0]
    # mmdet adds this to every divisor.
    total = sum(counts) * 3 + torch.finfo(torch.float32).eps
    expected = dict(loss_cls=focal / total, loss_bbox=5 * l1 / total, loss_iou=2 * giou / total)
    for name, value in expected.items():
        torch.testing.assert_close(actual[name][0], value, rtol=tolerance, atol=tolerance)
    mine = torch.autograd.grad(sum(actual.values()), [scores, raw])
    reference = torch.autograd.grad(sum(expected.values()), [scores, raw])
    for a, b in zip(mine, reference):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def outputs(model, batch, images):
    """Scores and boxes of all queries and layers, and the number of denoising queries."""
    inputs = model.forward_transformer(model.extract_feat(images), batch)
    targets = inputs.pop('dn_targets', None)
    inputs = {k: v for k, v in inputs.items() if k in ('hidden_states', 'references')}
    return model.bbox_head(**inputs), targets.num_queries if targets else 0


@pytest.mark.parametrize('name', NAMES)
def test_matching_queries_do_not_notice_denoising(name):
    model = small(name)
    batch, images = samples((3, 1)), torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        (scores, boxes), D = outputs(model.train(), batch, images)
        (plain_scores, plain_boxes), none = outputs(model.eval(), batch, images)
    assert D == 15 and none == 0
    torch.testing.assert_close(scores[:, :, D:], plain_scores, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(boxes[:, :, D:], plain_boxes, rtol=1e-4, atol=1e-5)
    # And denoising queries are not matching ones in disguise.
    assert (scores[:, :, :D].mean() - plain_scores.mean()).abs() > 1e-5


@pytest.mark.parametrize('name', ['dn-detr', 'dn-deformable-detr'])
def test_an_image_does_not_notice_its_neighbors_padding(name):
    model = small(name, dn_cfg=dict(label_noise=0.0, box_noise=0.0)).train()
    batch, images = samples((1, 4)), torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        (together, _), D = outputs(model, batch, images)
        (alone, _), D_alone = outputs(model, batch[:1], images[:1])
    assert (D, D_alone) == (20, 5)
    torch.testing.assert_close(together[:, :1, 0:D:4], alone[:, :, :5], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', ['dn-detr', 'dn-detr, 3 patterns'])
def test_inference_is_stock_dab_detrs(name):
    model = small(name).eval()
    cfg = Config.fromfile(CONFIGS / 'dn_detr' / f'{NAMES[name]}.py').model
    content = model.matching_content()
    cfg.update(type='DABDETR', num_queries=12, num_patterns=len(content))
    cfg.pop('dn_cfg')
    cfg.bbox_head.update(type='DABDETRHead', num_classes=CLASSES)
    cfg.backbone.update(depth=18, init_cfg=None)
    cfg.neck.in_channels = [512]
    cfg.encoder.num_layers = cfg.decoder.num_layers = 2
    cfg.test_cfg.max_per_img = 10
    stock = MODELS.build(cfg).eval()
    assert type(stock) is DABDETR
    weights = model.state_dict()
    weights['patterns.weight'] = content.detach()
    weights = {
        k: v
        for k, v in weights.items()
        if not k.startswith(('dn_query_generator', 'content_embedding'))
    }
    stock.load_state_dict(weights)
    batch, images = samples((2, 2)), torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        ours = model.predict(images, batch)
        ours = [sample.pred_instances.clone() for sample in ours]
        theirs = stock.predict(images, batch)
    for a, b in zip(ours, theirs):
        assert torch.equal(a.bboxes, b.pred_instances.bboxes)
        assert torch.equal(a.scores, b.pred_instances.scores)
        assert torch.equal(a.labels, b.pred_instances.labels)
        assert len(a) == 10


@pytest.mark.slow
@pytest.mark.parametrize('counts', [(0, 0), (0, 2), (3, 1)])
@pytest.mark.parametrize('name', NAMES)
def test_every_parameter_learns_whatever_the_boxes(name, counts):
    model = small(name).train()
    losses = model.loss(torch.randn(2, 3, 64, 96), samples(counts))
    total, _ = model.parse_losses(losses)
    total.backward()
    assert total.isfinite()
    left = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert left == []
    names = ['dn_loss_cls', 'dn_loss_bbox', 'dn_loss_iou']
    denoising = sum(losses[f'{prefix}{n}'] for prefix in ('', 'd0.') for n in names)
    assert (denoising > 0) == (sum(counts) > 0)
    assert set(losses) == {f'{p}{n}' for p in ('', 'd0.') for n in names} | {
        f'{p}loss_{n}' for p in ('', 'd0.') for n in ('cls', 'bbox', 'iou')
    }


@pytest.mark.slow
@pytest.mark.parametrize('name', ['dn-detr', 'dn-deformable-detr'])
def test_traced_forward_is_the_forward(name):
    """What exporters do."""
    model = small(name).eval()
    batch, images = samples((0,)), torch.randn(1, 3, 64, 96)

    class Tensors(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, inputs):
            return self.model(inputs, batch, mode='tensor')

    with torch.no_grad():
        traced = torch.jit.trace(Tensors(), images, check_trace=False)
        other = torch.randn(1, 3, 64, 96)
        for a, b in zip(traced(other), model(other, batch, mode='tensor')):
            torch.testing.assert_close(a, b)


def test_patterns_multiply_the_queries():
    content = small('dn-detr').matching_content()
    assert content.shape == (1, 256) and content[0, -1] == 0
    model = small('dn-deformable-detr', num_patterns=3)
    assert model.matching_content().shape == (36, 256)
    assert not model.matching_content()[:, -1].any()
    assert model.dn_query_generator.num_matching_queries == 36
    torch.testing.assert_close(
        model.matching_content()[12:24, :-1],
        model.content_embedding.weight + model.patterns.weight[1],
    )


def test_bad_settings():
    with pytest.raises(ValueError, match=r'model.dn_cfg: num_groups = -1 must not be negative'):
        generator(num_groups=-1)
    with pytest.raises(ValueError, match=r'box_noise = 1.5 within 0 and 1'):
        generator(box_noise=1.5)
    with pytest.raises(ValueError, match='no as_two_stage = True'):
        small('dn-deformable-detr', as_two_stage=True)


def test_the_dense_decoder_reads_positions_and_sizes_of_the_levels():
    model = small('dn-deformable-encoder').eval()
    with torch.no_grad():
        model.level_embed.copy_(torch.randn_like(model.level_embed))
    sizes = ((8, 12), (4, 6), (2, 3), (1, 2))
    maps = tuple(torch.randn(1, 256, *size) for size in sizes)
    _, decoder_inputs = model.pre_transformer(maps, samples([2]))
    assert decoder_inputs['level_cells'] == [96, 24, 6, 2]
    positions = decoder_inputs['memory_pos'].split(decoder_inputs['level_cells'], 1)
    for size, position, embedding in zip(sizes, positions, model.level_embed):
        inside = torch.zeros(1, *size, dtype=torch.bool)
        sine = model.positional_encoding(inside).flatten(2).transpose(1, 2)
        torch.testing.assert_close(position, sine + embedding)
