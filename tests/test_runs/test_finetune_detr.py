"""Fine-tuning of pretrained detection transformers: settings, checkpoints, short runs."""

from __future__ import annotations

import copy
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmpixcon.apis.config import merge_options
from mmpixcon.engine import compare_state_dicts
from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS, DETRS
from tests.helpers.runs import model_of, quick, scalars, weights

SMALL = [path for path in DETRS if '-pretrained_' in path.stem]
FULL = [path for path in DETRS if path not in SMALL]
VARIANTS = {
    'detr': ('DETR', 100),
    'conditional-detr-100q': ('ConditionalDETR', 100),
    'conditional-detr': ('ConditionalDETR', 300),
    'deformable-detr-single-scale': ('DeformableDETR', 300),
    'deformable-detr': ('DeformableDETR', 300),
    'dab-deformable-detr': ('DNDeformableDETR', 300),
    'dn-deformable-detr': ('DNDeformableDETR', 300),
}
# What the paper pretrains, and what of it goes on to which data.
PRETRAINED = {
    'detr': 'detr_r50_32xb8-60e_imagenet',
    'conditional-detr-100q': 'conditional-detr-100q_r50_32xb8-60e_imagenet',
    'conditional-detr': 'conditional-detr_r50_32xb8-60e_imagenet',
    'deformable-detr-single-scale': 'deformable-detr-single-scale_r50_32xb8-60e_imagenet',
    'deformable-detr': 'deformable-detr_r50_32xb8-60e_imagenet',
    'dab-deformable-detr': 'dab-deformable-detr_r50_16xb4-60e_coco',
    'dn-deformable-detr': 'dn-deformable-detr_r50_16xb4-60e_coco',
}
ALL = ('siamese-detr', 'updetr', 'detreg')
BUT_DETREG = ('siamese-detr', 'updetr')
# Rows of the paper's tables 1, 2 and 6: who pretrains what on what, and what it is fine-tuned as.
ROWS = [
    (ALL, 'detr', 'imagenet', ['150e_coco', '50e_voc0712', '150e_voc0712']),
    (ALL, 'conditional-detr-100q', 'imagenet', ['50e_coco', '50e_voc0712']),
    (BUT_DETREG, 'conditional-detr', 'imagenet', ['50e_coco']),
    (BUT_DETREG, 'deformable-detr-single-scale', 'imagenet', ['50e_coco', '50e_voc0712']),
    (ALL, 'deformable-detr', 'imagenet', ['50e_coco', '50e_voc0712']),
    (ALL, 'conditional-detr-100q', 'coco', ['50e_voc0712']),
    *(
        (('siamese-detr',), f'{name}-deformable-detr', 'coco', ['50e_voc0712'])
        for name in ('dab', 'dn')
    ),
]
CLASS_LAYERS = ('fc_cls.', 'cls_branches.', 'label_embedding.')


def test_all_variants_are_there():
    data = {
        name: {path.stem.rsplit('_', 1)[1] for path in FULL if path.stem.startswith(f'{name}_')}
        for name in VARIANTS
    }
    assert data == {
        'detr': {'coco', 'voc0712'},
        'conditional-detr-100q': {'coco', 'voc0712'},
        'conditional-detr': {'coco', 'voc0712'},
        'deformable-detr-single-scale': {'coco', 'voc0712'},
        'deformable-detr': {'coco', 'voc0712'},
        'dab-deformable-detr': {'voc0712'},
        'dn-deformable-detr': {'voc0712'},
    }


def architecture(detector: dict) -> dict:
    """A detector's config without what does not decide which weights it has."""
    actual = detector.to_dict()
    for key in ('init_cfg', 'data_preprocessor', 'train_cfg', 'test_cfg'):
        actual.pop(key, None)
    for key in ('init_cfg', 'frozen_stages', 'norm_eval', 'norm_cfg'):
        actual['backbone'].pop(key, None)
    actual['bbox_head'].pop('num_classes')
    return actual


@pytest.mark.slow
@pytest.mark.parametrize(('methods', 'detector', 'data', 'tasks'), ROWS, ids=str)
def test_every_row_of_the_papers_tables(methods, detector, data, tasks):
    for method in methods:
        folder = CONFIGS / method.replace('-', '_')
        schedule = dict(imagenet='32xb8', coco='16xb4')[data]
        pretrained = folder / f'{method}_{detector}_r50_{schedule}-60e_{data}.py'
        reference = architecture(Config.fromfile(pretrained).model.detector)
        for task in tasks:
            cfg = Config.fromfile(CONFIGS / 'finetune' / f'{detector}_r50_8xb4-{task}.py')
            assert architecture(cfg.model) == reference, (method, task)
            # Nothing but a checkpoint is needed, and nothing goes without one.
            hooks = {hook.type: hook for hook in cfg.custom_hooks}
            assert 'mmpixcon.RequireCheckpointHook' in hooks and cfg.load_from is None


@pytest.mark.parametrize('path', FULL, ids=lambda path: path.stem)
def test_settings_are_the_papers(path):
    cfg = Config.fromfile(path)
    variant, _, schedule, data = path.stem.split('_')
    assert (cfg.model.type.removeprefix('mmpixcon.'), cfg.model.num_queries) == VARIANTS[variant]
    # 8 GPUs x 4 images.
    assert cfg.train_dataloader.batch_size == 4 and cfg.auto_scale_lr.base_batch_size == 32
    epochs = int(re.search(r'-(\d+)e$', schedule)[1])
    (steps,) = cfg.param_scheduler
    assert cfg.train_cfg.max_epochs == steps.end == epochs
    assert steps.milestones == [epochs - (10 if epochs == 50 else 30)] and steps.gamma == 0.1
    optimizer = cfg.optim_wrapper
    rate = optimizer.optimizer.lr
    slow = {'backbone': optimizer.paramwise_cfg.custom_keys.backbone.lr_mult * rate}
    if variant.startswith('deformable'):
        assert (rate, slow['backbone']) == pytest.approx((2e-4, 2e-5))
    else:
        # DAB's and DN's own papers slow the backbone by ten.
        expected = 1e-5 if 'deformable' in variant else 5e-5
        assert (rate, slow['backbone']) == pytest.approx((1e-4, expected))
    assert (optimizer.optimizer.type, optimizer.optimizer.weight_decay) == ('AdamW', 1e-4)
    assert optimizer.clip_grad.max_norm == 0.1
    dataset = cfg.train_dataloader.dataset
    if data == 'coco':
        assert cfg.model.bbox_head.num_classes == 80
        assert dataset.ann_file == 'annotations/instances_train2017.json'
        return
    assert cfg.model.bbox_head.num_classes == len(dataset.metainfo.classes) == 20
    expected = 'annotations/voc0712_trainval.json'
    assert (dataset.data_root, dataset.ann_file) == ('data/VOCdevkit/', expected)
    for split in ('val', 'test'):
        loader, evaluator = cfg[f'{split}_dataloader'], cfg[f'{split}_evaluator']
        assert loader.dataset.ann_file == 'annotations/voc07_test.json'
        assert loader.dataset.metainfo == dataset.metainfo and loader.dataset.test_mode
        assert evaluator.ann_file == 'data/VOCdevkit/annotations/voc07_test.json'
        assert evaluator.type == 'CocoMetric'


@pytest.mark.slow
@pytest.mark.parametrize(
    ('pretext', 'detector'),
    [(name, f'{variant}_r50_8xb4-50e_voc0712') for variant, name in PRETRAINED.items()]
    + [
        (f'{variant}_r18_1xb8-50e_{data}', f'{variant}-pretrained_r18_{schedule}_{data}')
        for variant, data, schedule in (
            ('detr', 'scenes', '1xb8-12e'),
            ('conditional-detr', 'scenes', '1xb8-12e'),
            ('deformable-detr', 'scenes', '1xb8-12e'),
            ('deformable-detr', 'bccd', '1xb8-24e'),
        )
    ]
    + [
        (
            'deformable-detr-one-stage_lite0_1xb8-50e_bccd',
            'deformable-detr-one-stage-pretrained_lite0_1xb8-24e_bccd',
        )
    ],
)
def test_a_pretrained_checkpoint_fits_but_for_the_classes(pretext, detector):
    source = model_of(CONFIGS / 'siamese_detr' / f'siamese-detr_{pretext}.py').state_dict()
    target = model_of(CONFIGS / 'finetune' / f'{detector}.py')
    report = compare_state_dicts(target.state_dict(), source)
    for key in (*report.missing, *report.mismatched):
        assert any(name in key for name in CLASS_LAYERS), key
    assert any('bbox_head' in key and 'reg' in key for key in report.loaded)
    assert report.share > 0.9


@pytest.mark.slow
@pytest.mark.parametrize('path', SMALL, ids=lambda path: path.stem)
def test_two_steps_from_a_checkpoint(path, scenes_root, bccd_root, tmp_path):
    scenes = path.stem.endswith('scenes')
    cfg = quick(
        f'finetune/{path.name}',
        scenes_root if scenes else bccd_root,
        tmp_path,
        train_cfg__max_epochs=1,
        train_cfg__val_interval=5,
        # Steps from the first one on as large as later.
        param_scheduler=[],
    )
    with pytest.raises(ValueError, match=r'load_from: this config starts from a checkpoint'):
        Runner.from_cfg(copy.deepcopy(cfg)).train()
    torch.manual_seed(1)
    pretrained = MODELS.build(copy.deepcopy(cfg.model))
    pretrained.init_weights()
    state = {
        key: value
        for key, value in pretrained.state_dict().items()
        if not any(name in key for name in CLASS_LAYERS)
    }
    assert len(state) < len(pretrained.state_dict())
    checkpoint = tmp_path / 'pretrained.pth'
    torch.save(dict(state_dict=state), checkpoint)
    cfg.update(load_from=str(checkpoint), experiment_name=f'second-{path.stem}')
    runner = Runner.from_cfg(cfg)
    runner.train()
    losses = scalars(runner, 'train/loss')
    assert len(losses) == 2 and all(loss > 0 for loss in losses)
    after = weights(runner)
    # It went on from there: two steps of 4e-4 do not move a weight by more than 0.002.
    moved = {key: (after[key] - value).abs().max().item() for key, value in state.items()
             if value.is_floating_point() and 'running' not in key}  # fmt: skip
    assert max(moved.values()) < 2e-3
    # Of an EfficientNet-Lite0 the stem is frozen.
    first = 'layers.1.0.depthwise_conv.conv' if '_lite0_' in path.stem else 'conv1'
    assert moved[f'backbone.{first}.weight'] > 0 and moved['neck.convs.0.conv.weight'] > 0


@pytest.mark.slow
def test_a_checkpoint_of_another_variant_is_refused(scenes_root, tmp_path):
    source = CONFIGS / 'siamese_detr' / 'siamese-detr_conditional-detr_r18_1xb8-50e_scenes.py'
    torch.save(dict(state_dict=model_of(source).state_dict()), tmp_path / 'conditional.pth')
    name = 'finetune/detr-pretrained_r18_1xb8-12e_scenes.py'
    cfg = quick(name, scenes_root, tmp_path, train_cfg__max_epochs=1, train_cfg__val_interval=5)
    cfg.load_from = str(tmp_path / 'conditional.pth')
    with pytest.raises(ValueError, match=r'not in the checkpoint.*decoder.*the same variant and'):
        Runner.from_cfg(cfg).train()


@pytest.mark.slow
def test_from_scratch_is_a_checkpoint_of_the_backbone(scenes_root, tmp_path):
    """As DETR.md says: its options, and a detector whose stem cannot learn."""
    name = 'finetune/detr-pretrained_r18_1xb8-12e_scenes.py'
    cfg = quick(name, scenes_root, tmp_path, train_cfg__max_epochs=1, train_cfg__val_interval=5)
    cfg.model.backbone.frozen_stages = 1
    torch.manual_seed(1)
    state = MODELS.build(copy.deepcopy(cfg.model)).state_dict()
    state = {key: value for key, value in state.items() if key.startswith('backbone.')}
    torch.save(dict(state_dict=state), tmp_path / 'backbone.pth')
    cfg.load_from = str(tmp_path / 'backbone.pth')
    cfg.custom_hooks[0].min_loaded = 0.9
    with pytest.raises(RuntimeError, match=r'backbone\.pth, less than .*min_loaded = 0\.9'):
        Runner.from_cfg(copy.deepcopy(cfg)).train()
    text = (CONFIGS / 'finetune' / 'DETR.md').read_text()
    options = re.search(r'load_from=checkpoints/\S+ (\S+)=(\S+) (\S+)=False', text)
    key, value, other = options.groups()
    merge_options(cfg, {key: float(value), 'experiment_name': 'backbone_alone'})
    # As if it were of another variant, unless it is said to be meant so.
    with pytest.raises(ValueError, match=r'parameters are not in the checkpoint.*whole=False'):
        Runner.from_cfg(copy.deepcopy(cfg)).train()
    merge_options(cfg, {other: False, 'experiment_name': 'from_scratch'})
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert len(scalars(runner, 'train/loss')) == 2
    after = weights(runner)
    assert torch.equal(after['backbone.conv1.weight'], state['backbone.conv1.weight'])


def test_the_readme_names_the_configs_that_are_there():
    text = (CONFIGS / 'finetune' / 'DETR.md').read_text()
    named = set()
    for entry in re.findall(r'^\| `(\S+)` \|', text, re.M):
        names = ['']
        for part in re.split(r'(\{[^}]*\})', entry):
            choices = part[1:-1].split(',') if part.startswith('{') else [part]
            names = [name + choice for name in names for choice in choices]
        named |= set(names)
    assert named == {path.stem for path in DETRS}
